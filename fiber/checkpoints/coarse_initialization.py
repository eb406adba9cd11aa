"""A detector's backbone from a coarse checkpoint, ours or the original's."""

from pathlib import Path

from torch import Tensor, nn

from fiber.checkpoints.initialization import (
    BACKBONE,
    OURS,
    InitializationReport,
    fit,
    is_original,
    refuse_missing,
)
from fiber.checkpoints.original_coarse import IMAGE_PREFIX, TEXT_PREFIX, from_original, image_layer_names, text_names
from fiber.checkpoints.state import State
from fiber.models.fusion_backbone import FusionBackbone


def fill_backbone(detector: nn.Module, backbone: FusionBackbone, state: State, path: Path) -> InitializationReport:
    """Fill the backbone of a detector, in place.

    Args:
        detector: whose other tensors stay as they are.
        backbone: inside `detector`.
        state: tensors of a coarse run's checkpoint, or of one in the original's format.
        path: where they come from, for messages.

    Raises:
        UserError: a tensor is missing or has another size.
    """
    original = is_original(state)
    tensors, used = original_tensors(state, backbone, path) if original else own_tensors(state, backbone, path)
    resized = fit(tensors, backbone.state_dict(), window_size=backbone.config.image.window_size, path=path)
    backbone.load_state_dict(tensors)
    owned = {id(parameter) for parameter in backbone.parameters()}
    return InitializationReport(
        source=path,
        is_original=original,
        loaded=tuple(tensors),
        resized=resized,
        unused=tuple(sorted(set(state) - used)),
        fresh=tuple(name for name, parameter in detector.named_parameters() if id(parameter) not in owned),
    )


Found = tuple[dict[str, Tensor], set[str]]
"""Tensors by the backbone's names, and the keys of the checkpoint they come from."""


def original_tensors(state: State, backbone: FusionBackbone, path: Path) -> Found:
    """From the original's format."""
    names = (*image_layer_names(backbone.config, IMAGE_PREFIX), *text_names(backbone.config, TEXT_PREFIX))
    used = {original for name in names for original in name.originals}
    refuse_missing(used - set(state), path)
    tensors = from_original(state, names, where=f"init_from={path}")
    return {key.removeprefix(BACKBONE): value for key, value in tensors.items()}, used


def own_tensors(state: State, backbone: FusionBackbone, path: Path) -> Found:
    """From a checkpoint of a run."""
    wanted = {f"{OURS}{BACKBONE}{name}": name for name in backbone.state_dict()}
    refuse_missing(set(wanted) - set(state), path)
    return {name: state[key] for key, name in wanted.items()}, set(wanted)
