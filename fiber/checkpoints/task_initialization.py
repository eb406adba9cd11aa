"""A model of a coarse task from a checkpoint of another one, ours or the original's."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from fiber.checkpoints.initialization import (
    BACKBONE,
    OURS,
    InitializationReport,
    fit,
    is_original,
    read_state,
    refuse_missing,
)
from fiber.checkpoints.original_coarse import TensorName, from_original
from fiber.checkpoints.state import State


def initialize_task(
    model: nn.Module, names: Sequence[TensorName], path: Path, *, window_size: int
) -> InitializationReport:
    """Fill everything of the model that the checkpoint has, in place.

    Heads that it lacks, or has in another size, as a classifier of other answers, stay as they are.

    Args:
        model: with its backbone under the name `backbone`.
        names: the original's name of every tensor of the model.
        path: a checkpoint of a coarse run, or one in the original's format.
        window_size: of the model; position biases are resized to it.

    Raises:
        UserError: the file cannot be read, it lacks a tensor of the backbone, or has one of another size.
    """
    state = read_state(path)
    original = is_original(state)
    own = model.state_dict()
    found, sources = original_tensors(state, names, path) if original else own_tensors(state, own)
    other = {head_of(name) for name, value in found.items() if value.shape != own[name].shape} - {head_of(BACKBONE)}
    tensors = {name: value for name, value in found.items() if head_of(name) not in other}
    refuse_missing({name for name in own if name.startswith(BACKBONE) and name not in tensors}, path)
    resized = fit(tensors, own, window_size=window_size, path=path)
    model.load_state_dict(tensors, strict=False)
    used = {key for name in tensors for key in sources[name]}
    return InitializationReport(
        source=path,
        is_original=original,
        loaded=tuple(tensors),
        resized=resized,
        unused=tuple(sorted(set(state) - used)),
        fresh=tuple(name for name in own if name not in tensors),
    )


def head_of(name: str) -> str:
    """The part of the model that a tensor belongs to."""
    return name.partition(".")[0]


Found = tuple[dict[str, Tensor], dict[str, tuple[str, ...]]]
"""Tensors by the model's names, and the keys of the checkpoint that each comes from."""


def original_tensors(state: State, names: Sequence[TensorName], path: Path) -> Found:
    """From the original's format."""
    present = tuple(name for name in names if all(original in state for original in name.originals))
    tensors = from_original(state, present, where=f"init_from={path}")
    return tensors, {name.ours: name.originals for name in present}


def own_tensors(state: State, own: State) -> Found:
    """From a checkpoint of a run."""
    present = {name: f"{OURS}{name}" for name in own if f"{OURS}{name}" in state}
    return {name: state[key] for name, key in present.items()}, {name: (key,) for name, key in present.items()}
