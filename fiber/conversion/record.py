"""What a folder keeps of the file in the original's format that it came from, so that the file can be written again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fiber.checkpoints.foreign_state import DETECTOR, LIGHTNING, ForeignState, Layout
from fiber.checkpoints.model_description import ModelDescription, ModelKind
from fiber.conversion.key_report import KeyReport
from fiber.conversion.original_keys import QUEUES
from fiber.conversion.original_state import original_state
from fiber.data.readers.files import read_json
from fiber.utils.configs import build_dataclass

RECORD_FILE = "conversion.json"
EXTRA_FILE = "original_extra.safetensors"
"""Tensors of the original's file that no model of ours has and that do not follow from it."""
OTHER = "other/"
"""Before names of the averaged or raw weights beside those that the model has."""
LARGEST_QUEUE = 2**30
"""Bytes of a queue that is kept; one of raw images takes up to 16 GB, and the original itself drops it."""
REPORT, ORIGIN = "report", "origin"

State = Mapping[str, Tensor]


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
    """Of the weights."""
    absent: tuple[str, ...] = ()
    """What the original's models have and the file had not."""


def default_origin(description: ModelDescription) -> Origin:
    """As the original saves a model that came from nowhere else."""
    return Origin(path=(DETECTOR if description.kind is ModelKind.DETECTOR else LIGHTNING,))


def find_origin(
    foreign: ForeignState, report: KeyReport, weights: State, description: ModelDescription
) -> tuple[Origin, dict[str, Tensor]]:
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
    made = original_state(weights, description)
    loaded = set(report.loaded)
    stale = ("relative_position_index", "attn_mask") if report.resized else ()
    extra = {
        name: value
        for name, value in foreign.tensors.items()
        if name not in loaded and not (name in made and equal(made[name], value)) and not name.endswith(stale or "\0")
    }
    extra |= {OTHER + name: value for name, value in foreign.other.items()}
    dtypes = {str(foreign.tensors[name].dtype).removeprefix("torch.") for name in loaded}
    origin = Origin(
        path=foreign.layout.path,
        prefix=foreign.layout.prefix,
        other_path=foreign.other_layout.path,
        other_prefix=foreign.other_layout.prefix,
        dtype=dtypes.pop() if len(dtypes) == 1 else "float32",
        absent=tuple(name for name in made if name not in foreign.tensors),
    )
    return origin, extra


def equal(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are the same, their type too."""
    return one.dtype == other.dtype and torch.equal(one, other)


def is_kept(name: str, value: Tensor) -> bool:
    """Whether a tensor is worth its place on the disk."""
    return name.removeprefix(OTHER) not in QUEUES or value.nbytes <= LARGEST_QUEUE


def write_record(folder: Path, report: KeyReport, origin: Origin, extra: State) -> None:
    """Write the report, and tensors if there are any."""
    content = {REPORT: report.to_json(), ORIGIN: asdict(origin)}
    (folder / RECORD_FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if extra:
        save_file({name: value.contiguous().clone() for name, value in extra.items()}, folder / EXTRA_FILE)


def read_record(folder: Path) -> tuple[Origin, dict[str, Tensor]] | None:
    """What `write_record` wrote; None in a folder without."""
    file = folder / RECORD_FILE
    if not file.is_file():
        return None
    values = read_json(file, expected="the record of a conversion").get(ORIGIN, {})
    extra = load_file(folder / EXTRA_FILE) if (folder / EXTRA_FILE).is_file() else {}
    return build_dataclass(Origin, values, str(file)), extra


def original_content(
    weights: State, description: ModelDescription, origin: Origin, extra: State, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What to save: the file that the model came from, or one as the original would have saved the model.

    Args:
        weights: of the model, by our names.
        description: of the model.
        origin: layout of the file.
        extra: its tensors that the model does not have.
        settings: for Lightning's `hyper_parameters`, where the layout is Lightning's.
    """
    made = original_state(weights, description)
    dtype = getattr(torch, origin.dtype)
    own = {name: value for name, value in made.items() if name not in extra and name not in origin.absent}
    own = {name: value.to(dtype) if value.is_floating_point() else value for name, value in own.items()}
    tensors = own | {name: value for name, value in extra.items() if not name.startswith(OTHER)}
    others = {name.removeprefix(OTHER): value for name, value in extra.items() if name.startswith(OTHER)}
    content: dict[str, Any] = {}
    place(content, tensors, Layout(origin.path, origin.prefix))
    if others:
        place(content, others, Layout(origin.other_path, origin.other_prefix))
    if origin.path == (LIGHTNING,):
        content |= {"epoch": 0, "global_step": 0, "pytorch-lightning_version": "1.3.2"}
        content["hyper_parameters"] = {"config": dict(settings)}
    return content


def place(content: dict[str, Any], tensors: State, layout: Layout) -> None:
    """Put tensors where the layout has them, in place."""
    for key in layout.path:
        content = content.setdefault(key, {})
    content.update({layout.prefix + name: value for name, value in tensors.items()})
