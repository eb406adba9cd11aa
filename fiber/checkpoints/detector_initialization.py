"""A detector from an earlier checkpoint: a detector's, or the backbone of the coarse stage; ours or the original's."""

from pathlib import Path

import torch
from torch import Tensor

from fiber.checkpoints.coarse_initialization import fill_backbone
from fiber.checkpoints.initialization import (
    OURS,
    InitializationReport,
    fit,
    is_query_norm,
    read_state,
    refuse_missing,
)
from fiber.checkpoints.original_coarse import from_original
from fiber.checkpoints.original_fine import IMAGE_PREFIX, detector_names
from fiber.checkpoints.state import State
from fiber.models.grounded_detector import GroundedDetector
from fiber.utils.errors import UserError

PROMPT_OFFSETS = "prompt_offsets"
"""The one tensor of a detector that a checkpoint of another may lack."""


def initialize_detector(model: GroundedDetector, path: Path) -> InitializationReport:
    """Fill a detector, in place.

    A detector's checkpoint fills everything. Prompt offsets start anew where it has none, as do those beyond its text
    length. A checkpoint of the coarse stage fills the backbone.

    Args:
        model: the detector.
        path: a checkpoint of a fine or a coarse run, or one in the original's format of either stage.

    Raises:
        UserError: the file cannot be read, it lacks a tensor or has one of another size, or it is of a detector with
            tensors that this one has no place for.
    """
    state = read_state(path)
    original = is_original_detector(state)
    if not original and not is_own_detector(state):
        return fill_backbone(model, model.backbone, state, path)
    tensors, used = original_tensors(state, model, path) if original else own_tensors(state, model, path)
    unused = set(state) - used
    refuse_homeless({key for key in unused if is_query_norm(key) or key.startswith(OURS)}, model, path)
    own = model.state_dict()
    resized = fit_offsets(tensors, own)
    resized += fit(tensors, own, window_size=model.config.backbone.image.window_size, path=path)
    model.load_state_dict(tensors, strict=False)
    return InitializationReport(
        source=path,
        is_original=original,
        loaded=tuple(tensors),
        resized=resized,
        unused=tuple(sorted(unused)),
        fresh=tuple(name for name in own if name not in tensors),
    )


def is_own_detector(state: State) -> bool:
    """Whether these are tensors of a fine run."""
    return any(key.startswith(f"{OURS}pyramid.") for key in state)


def is_original_detector(state: State) -> bool:
    """Whether these are the original's names of the fine stage."""
    return any(key.startswith(f"{IMAGE_PREFIX}.") for key in state)


Found = tuple[dict[str, Tensor], set[str]]
"""Tensors by the model's names, and the keys of the checkpoint they come from."""


def original_tensors(state: State, model: GroundedDetector, path: Path) -> Found:
    """From the original's format, which knows no prompt offsets."""
    names = detector_names(model.config)
    used = {original for name in names for original in name.originals}
    refuse_missing(used - set(state), path, wanted="this model")
    return from_original(state, names, where=f"init_from={path}"), used


def own_tensors(state: State, model: GroundedDetector, path: Path) -> Found:
    """From a checkpoint of a fine run."""
    wanted = {f"{OURS}{name}": name for name in model.state_dict()}
    offsets = f"{OURS}{PROMPT_OFFSETS}"
    if model.prompt_offsets is not None and offsets not in state:
        del wanted[offsets]
    refuse_missing(set(wanted) - set(state), path, wanted="this model")
    return {name: state[key] for key, name in wanted.items()}, set(wanted)


def fit_offsets(tensors: dict[str, Tensor], own: State) -> tuple[str, ...]:
    """Bring prompt offsets to the model's text length, in place, and return their name if it is another.

    Offsets of places that both have stay; the others are the model's.
    """
    if PROMPT_OFFSETS not in tensors:
        return ()
    given, wanted = tensors[PROMPT_OFFSETS], own[PROMPT_OFFSETS]
    if len(given) == len(wanted) or given.shape[1:] != wanted.shape[1:]:
        return ()
    common = given[: len(wanted)]
    tensors[PROMPT_OFFSETS] = torch.cat([common, wanted[len(common) :]])
    return (PROMPT_OFFSETS,)


def refuse_homeless(keys: set[str], model: GroundedDetector, path: Path) -> None:
    """Raise a UserError if a detector's checkpoint has tensors without which it is another model."""
    if model.prompt_offsets is not None:
        keys = keys - {f"{OURS}{PROMPT_OFFSETS}"}
    if not keys:
        return
    example = min(keys)
    hint = ""
    if is_query_norm(example):
        hint = " Set detector.query_norm=true."
    elif example.endswith(PROMPT_OFFSETS):
        hint = " Its prompt was tuned: set detector.prompt_offsets=true."
    raise UserError(
        f"init_from={path} has {len(keys)} tensors that this model lacks, {example} among them: is it a checkpoint of "
        f"the same model=...?{hint}"
    )
