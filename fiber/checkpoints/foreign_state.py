"""Where a file of weights keeps its tensors: the containers of Lightning, of detectors, and none."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from fiber.checkpoints.foreign_file import read_foreign_file
from fiber.checkpoints.foreign_tensors import refuse_unusable
from fiber.checkpoints.restricted_pickle import Skipped
from fiber.checkpoints.state import State
from fiber.utils.errors import UserError

MODULE = "module."
"""Before every name, where a model was saved inside `DistributedDataParallel`."""
LIGHTNING, DETECTOR, AVERAGED = "state_dict", "model", "model_ema"
"""Keys of tensors in a container; the last has the moving average of the one before."""
SETTINGS = ("hyper_parameters", "config")
"""Where Lightning keeps the configuration of a run."""


class Weights(StrEnum):
    """Which of a detector's weights, where the file has both."""

    AVERAGED = "averaged"
    RAW = "raw"


class Layout(NamedTuple):
    """How a file keeps its tensors."""

    path: tuple[str, ...] = ()
    """Keys from the outside in."""
    prefix: str = ""
    """Of every name."""


class ForeignState(NamedTuple):
    """Tensors by name, and what lay beside them."""

    tensors: State
    layout: Layout
    other: State
    """The other weights, averaged or raw, under their names in the file; empty where there are none."""
    other_layout: Layout
    parts: tuple[str, ...]
    """Keys of what else the file holds, such as the state of an optimiser."""
    settings: Mapping[str, Any]
    """Configuration of the run that wrote it; empty where it is not told."""
    skipped: tuple[str, ...]
    """Classes and functions that the file names and that were not used."""


def read_foreign_state(path: Path, *, option: str, expected: str, weights: Weights = Weights.AVERAGED) -> ForeignState:
    """Tensors of a file by name, `module.` taken off; nothing in it is executed.

    Args:
        path: of the file.
        option: that names it, for messages.
        expected: what to give instead, for messages.
        weights: to take where there are averaged and raw ones.

    Raises:
        UserError: the file cannot be read, or holds no tensors by name, or some without plain numbers.
    """
    content, skipped = read_foreign_file(path, option=option, expected=expected)
    where = f"{option}={path}"
    found = [key for key in (AVERAGED, DETECTOR) if holds(content, key)] if holds(content, AVERAGED) else []
    first, second = (found[:1], found[1:]) if weights is Weights.AVERAGED else ([], found[:1])
    layout, tensors = descend(content, tuple(first), where, expected)
    other_layout, other = descend(content, tuple(second), where, expected) if second else (Layout(), {})
    used = {layout.path[:1], other_layout.path[:1]}
    return ForeignState(
        tensors=tensors,
        layout=layout,
        other=other,
        other_layout=other_layout,
        parts=tuple(key for key in map(str, content) if (key,) not in used) if layout.path else (),
        settings=find_settings(content),
        skipped=skipped,
    )


def holds(content: Any, key: str) -> bool:
    """Whether a file has anything there; a trainer that averages nothing writes None or an empty mapping."""
    value = content.get(key) if isinstance(content, Mapping) else None
    return value is not None and not (isinstance(value, Mapping) and not value)


def descend(content: Any, path: tuple[str, ...], where: str, expected: str) -> tuple[Layout, dict[str, Tensor]]:
    """Tensors at `path`, or in a container there, and where that is."""
    for key in path:
        content = content[key]
    for key in (DETECTOR, LIGHTNING):
        if isinstance(content, Mapping) and key in content and not isinstance(content[key], Tensor):
            content, path = content[key], (*path, key)
    if not isinstance(content, Mapping):
        raise UserError(f"{where} holds no tensors by name: give {expected}.")
    foreign = next((key for key, value in content.items() if not isinstance(value, Tensor)), None)
    if foreign is not None:
        raise UserError(f"{where} holds no tensors by name: {foreign} is {wording(content[foreign])}. Give {expected}.")
    prefix = MODULE if all(str(key).startswith(MODULE) for key in content) else ""
    tensors = {str(key).removeprefix(prefix): value for key, value in content.items()}
    refuse_unusable(tensors, where)
    return Layout(path, prefix), tensors


def wording(value: object) -> str:
    """What stands in a tensor's place."""
    return f"what {value.name} makes, which is not called" if isinstance(value, Skipped) else type(value).__name__


def find_settings(content: Any) -> Mapping[str, Any]:
    """The configuration in a file, if it has one."""
    for key in SETTINGS:
        content = content.entries if isinstance(content, Skipped) else content
        content = content.get(key) if isinstance(content, Mapping) else None
    content = content.entries if isinstance(content, Skipped) else content
    return content if isinstance(content, Mapping) else {}
