"""What a file in the original's format has besides its weights, by which it can be written again."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fiber.checkpoints.foreign_state import DETECTOR, LIGHTNING, ForeignState, Layout
from fiber.checkpoints.model_description import ModelDescription, ModelKind
from fiber.checkpoints.state import State
from fiber.conversion.key_report import KeyReport
from fiber.conversion.original_keys import QUEUES
from fiber.conversion.original_state import original_state
from fiber.utils.errors import UserError

DTYPES: Mapping[str, torch.dtype] = {
    str(value).removeprefix("torch."): value for value in vars(torch).values() if isinstance(value, torch.dtype)
}
OF_WINDOW = ("relative_position_index", "attn_mask")
"""Ends of names of buffers that follow from the window."""
LARGEST_QUEUE = 2**30
"""Bytes of a queue that is kept; one of raw images takes up to 16 GB, and the original itself drops it."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How the file was laid out."""

    path: tuple[str, ...]
    """Keys from the outside in."""
    prefix: str = ""
    """Of every name."""
    other_path: tuple[str, ...] = ()
    """The same of the averaged or raw weights beside these."""
    other_prefix: str = ""
    dtype: str = "float32"
    """Of most weights, and of buffers that are no whole numbers."""
    dtypes: Mapping[str, str] = field(default_factory=dict)
    """Of those that have another."""
    absent: tuple[str, ...] = ()
    """What the original's models have and the file had not."""

    def __post_init__(self) -> None:
        for name in (self.dtype, *self.dtypes.values()):
            if name not in DTYPES:
                raise UserError(f"the record of a conversion names a type of tensors {name}, which torch has not.")

    def dtype_of(self, name: str, made: Tensor) -> torch.dtype:
        """Type in the file of a tensor that is made anew as `made`."""
        usual = DTYPES[self.dtype] if made.is_floating_point() else made.dtype
        return DTYPES[self.dtypes[name]] if name in self.dtypes else usual


class Extra(NamedTuple):
    """Tensors of the file that no model of ours has and that do not follow from it."""

    beside: State
    """Of the state dict that the weights are in."""
    other: State
    """Averaged or raw weights beside those of the model."""

    def kept(self) -> "Extra":
        """Without queues that are not worth their place on the disk."""
        return Extra(*({name: value for name, value in part.items() if is_kept(name, value)} for part in self))


NOTHING = Extra({}, {})


def is_kept(name: str, value: Tensor) -> bool:
    """Whether a tensor is worth its place on the disk."""
    return name not in QUEUES or value.nbytes <= LARGEST_QUEUE


def default_origin(description: ModelDescription) -> Origin:
    """As the original saves a model that came from nowhere else."""
    return Origin(path=(DETECTOR if description.kind is ModelKind.DETECTOR else LIGHTNING,))


def find_origin(
    foreign: ForeignState, report: KeyReport, weights: State, description: ModelDescription
) -> tuple[Origin, Extra]:
    """What must be kept of a file besides the weights.

    Args:
        foreign: the file.
        report: of its conversion.
        weights: of the model made of it, by our names.
        description: of that model.

    Returns:
        The layout, and the tensors: all that are neither in the model nor computed from its sizes. Those of another
        window are not among them if position biases were resized.
    """
    made, loaded = original_state(weights, description), set(report.loaded)
    beside = {
        name: value
        for name, value in foreign.tensors.items()
        if name not in loaded
        and not (name in made and torch.equal(made[name].to(value.dtype), value))
        and not (report.resized and name.endswith(OF_WINDOW))
    }
    layout = Origin(
        path=foreign.layout.path,
        prefix=foreign.layout.prefix,
        other_path=foreign.other_layout.path,
        other_prefix=foreign.other_layout.prefix,
        dtype=Counter(dtype_name(foreign.tensors[name]) for name in loaded).most_common(1)[0][0],
    )
    again = {name: value for name, value in foreign.tensors.items() if name in made and name not in beside}
    odd = {name: dtype_name(v) for name, v in again.items() if v.dtype != layout.dtype_of(name, made[name])}
    absent = tuple(name for name in made if name not in foreign.tensors)
    return Origin(**{**vars(layout), "dtypes": odd, "absent": absent}), Extra(beside, foreign.other)


def dtype_name(value: Tensor) -> str:
    """Such as `float16`."""
    return str(value.dtype).removeprefix("torch.")


def original_content(
    weights: State, description: ModelDescription, origin: Origin, extra: Extra, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What to save: the file that the model came from, or one as the original would have saved the model.

    Args:
        weights: of the model, by our names.
        description: of the model.
        origin: layout of the file.
        extra: its tensors that the model does not have.
        settings: for Lightning's `hyper_parameters`, where the layout is Lightning's.
    """
    made = {
        name: value.to(origin.dtype_of(name, value))
        for name, value in original_state(weights, description).items()
        if name not in origin.absent
    }
    content: dict[str, Any] = {}
    place(content, {**made, **extra.beside}, Layout(origin.path, origin.prefix))
    if extra.other:
        place(content, extra.other, Layout(origin.other_path, origin.other_prefix))
    if origin.path == (LIGHTNING,):
        content |= {"epoch": 0, "global_step": 0, "pytorch-lightning_version": "1.3.2"}
        content["hyper_parameters"] = {"config": dict(settings)}
    return content


def place(content: dict[str, Any], tensors: State, layout: Layout) -> None:
    """Put tensors where the layout has them, in place."""
    for key in layout.path:
        content = content.setdefault(key, {})
    content.update({layout.prefix + name: value for name, value in tensors.items()})
