"""A detector's backbone from a coarse checkpoint, ours or the original's."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from fiber.checkpoints.original_coarse import IMAGE_PREFIX, TEXT_PREFIX, from_original, image_layer_names, text_names
from fiber.checkpoints.position_bias import resize_position_bias
from fiber.models.fusion_backbone import FusionBackbone
from fiber.utils.errors import UserError

OURS = "model.backbone."
"""Beginning of the backbone's tensors in a checkpoint of a run."""
POSITION_BIAS = "relative_position_bias"


class InitializationReport(NamedTuple):
    """What became of every tensor."""

    source: Path
    is_original: bool
    loaded: tuple[str, ...]
    """Of the detector's backbone, by our names: all of them."""
    resized: tuple[str, ...]
    """Of those, position biases brought to another window size."""
    unused: tuple[str, ...]
    """Of the checkpoint, by its names: heads, the final image norm, what this fusion version lacks."""
    fresh: tuple[str, ...]
    """Of the detector: pyramid, head and stage norms, which the coarse stage does not have."""

    def __str__(self) -> str:
        kind = "in the original's format" if self.is_original else "of a run"
        return (
            f"initialised from {self.source} ({kind}): all {len(self.loaded)} backbone tensors loaded "
            f"({len(self.resized)} resized), {len(self.fresh)} of pyramid and head fresh, "
            f"{len(self.unused)} of the checkpoint unused"
        )

    def listing(self) -> str:
        """Every tensor by name."""
        parts = {"loaded": self.loaded, "resized": self.resized, "fresh": self.fresh, "unused": self.unused}
        return "\n".join(f"{part}: {name}" for part, names in parts.items() for name in names)


def initialize_from_coarse(detector: torch.nn.Module, backbone: FusionBackbone, path: Path) -> InitializationReport:
    """Fill the backbone of a detector, in place.

    Args:
        detector: whose other tensors stay as they are.
        backbone: inside `detector`.
        path: a checkpoint of a coarse run, or one in the original's format.

    Raises:
        UserError: the file cannot be read, or it lacks a tensor or has one of another size.
    """
    state = read_state(path)
    original = any(key.startswith(f"{IMAGE_PREFIX}.") for key in state)
    tensors, used = original_tensors(state, backbone, path) if original else own_tensors(state, backbone, path)
    resized = fit(tensors, backbone, path)
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


class Unread:
    """Stands for a class that a checkpoint names beside its tensors, as older Lightning does for its callbacks."""

    def __init__(self, *_: object) -> None: ...


def read_state(path: Path) -> Mapping[str, Tensor]:
    """Tensors of a checkpoint by name; nothing in it is executed."""
    try:
        others = get_unsafe_globals_in_checkpoint(path) if zipfile.is_zipfile(path) else []
        with safe_globals([(Unread, name) for name in others]):
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise UserError(
            f"init_from={path} is damaged or no checkpoint ({type(error).__name__}): give best.ckpt of a coarse run, "
            "or a checkpoint in the original's format."
        ) from error
    state = content.get("state_dict", content.get("model", content)) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"init_from={path} holds no tensors by name: give a checkpoint of a coarse run.")
    if all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    return state


Found = tuple[dict[str, Tensor], set[str]]
"""Tensors by the backbone's names, and the keys of the checkpoint they come from."""


def original_tensors(state: Mapping[str, Tensor], backbone: FusionBackbone, path: Path) -> Found:
    """From the original's format."""
    names = (*image_layer_names(backbone.config, IMAGE_PREFIX), *text_names(backbone.config, TEXT_PREFIX))
    used = {original for name in names for original in name.originals}
    refuse_missing(used - set(state), path)
    tensors = {key.removeprefix("backbone."): value for key, value in from_original(state, names).items()}
    return tensors, used


def own_tensors(state: Mapping[str, Tensor], backbone: FusionBackbone, path: Path) -> Found:
    """From a checkpoint of a run."""
    wanted = {f"{OURS}{name}": name for name in backbone.state_dict()}
    refuse_missing(set(wanted) - set(state), path)
    return {name: state[key] for key, name in wanted.items()}, set(wanted)


def refuse_missing(missing: set[str], path: Path) -> None:
    if not missing:
        return
    example = min(missing)
    hint = " Set detector.query_norm=false." if "query_norm" in example or "norm_i2t_i" in example else ""
    raise UserError(
        f"init_from={path} lacks {len(missing)} tensors of this model's backbone, {example} among them: is it a coarse "
        f"checkpoint of the same model=...?{hint}"
    )


def fit(tensors: dict[str, Tensor], backbone: FusionBackbone, path: Path) -> tuple[str, ...]:
    """Bring position biases to the backbone's window, in place, and return their names.

    Raises:
        UserError: any other tensor has another shape than the backbone's.
    """
    own = backbone.state_dict()
    changed = [name for name, value in tensors.items() if value.shape != own[name].shape]
    resized = tuple(name for name in changed if name.endswith(POSITION_BIAS))
    for name in resized:
        tensors[name] = resize_position_bias(tensors[name], backbone.config.image.window_size)
    for name in changed:
        if tensors[name].shape != own[name].shape:
            hint = " Give the tokeniser of that run, tokenizer.path=RUN/tokenizer." if "word" in name else ""
            raise UserError(
                f"init_from={path}: {name} is {tuple(tensors[name].shape)}, this model's is {tuple(own[name].shape)}."
                f"{hint}"
            )
    return resized
