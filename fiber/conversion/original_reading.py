"""A model of ours from a checkpoint in the original's format, with an account of every tensor."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fiber.checkpoints.foreign_state import ForeignState
from fiber.checkpoints.initialization import BACKBONE, POSITION_BIAS
from fiber.checkpoints.model_description import CoarseDescription, ModelDescription, ModelKind
from fiber.checkpoints.model_kinds import build_model, original_names
from fiber.checkpoints.original_coarse import TensorName, from_original
from fiber.checkpoints.position_bias import resize_position_bias
from fiber.conversion.key_report import DropReason, KeyReport, examples, untrained_parts
from fiber.conversion.original_description import DescriptionOptions, check_image_size, describe_original, has_heads
from fiber.conversion.original_keys import sort_out
from fiber.conversion.original_sizes import NamedTensors
from fiber.utils.errors import UserError

MATCHING, TEMPERATURE = "matching_head.", "temperature"
"""What models for retrieval by ITC alone, and by ITM alone, lack."""
PAIR_KINDS = (ModelKind.PRETRAINING, ModelKind.RETRIEVAL)


class OriginalModel(NamedTuple):
    """What was read."""

    model: nn.Module
    description: ModelDescription
    report: KeyReport


def read_original(
    foreign: ForeignState, source: str, options: DescriptionOptions, *, allow_surprising: bool = False
) -> OriginalModel:
    """Build the model that the tensors are of, and fill it.

    Heads that were not trained may be missing: the matching head of a model for ITC alone, where every pair becomes as
    likely as not, the temperature of one for ITM alone, and all heads of a backbone alone, which are drawn at random.

    Args:
        foreign: tensors under the original's names.
        source: of the file, for messages.
        options: what the user knows better.
        allow_surprising: whether tensors that the original does not have are passed over.

    Raises:
        UserError: it is no checkpoint of the original's, tensors are missing, of another shape, or surprising.
    """
    tensors = NamedTensors(foreign.tensors, f"input={source}")
    description = describe_original(tensors, foreign.settings, options)
    names = tuple(original_names(description))
    absent = {name.ours for name in names if any(original not in tensors.state for original in name.originals)}
    refuse_missing(tensors, names, absent - may_be_fresh(absent, description, tensors))
    present = tuple(name for name in names if name.ours not in absent)
    used = {original for name in names for original in name.originals}
    dropped, surprising = sort_out(name for name in tensors.state if name not in used)
    if surprising and not allow_surprising:
        raise UserError(
            f"input={source} has {len(surprising)} tensors that no model of the original has, {examples(surprising)}: "
            "is it of another architecture? allow_surprising=true passes over them."
        )
    ours = from_original(tensors.state, present, where=tensors.where)
    check_tables(tensors.where, ours, description)
    description, resized = resize(ours, description, options.image_size)
    untrained = untrained_parts((name.ours for name in names if name.ours in absent), ours)
    if isinstance(description, CoarseDescription):
        description = replace(description, untrained=untrained)
    if foreign.other:
        dropped[DropReason.OTHER_WEIGHTS] = tuple(foreign.other)
    return OriginalModel(
        model=filled(tensors.where, description, ours, keep_random=not has_heads(tensors)),
        description=description,
        report=KeyReport(
            sources=(source,),
            loaded=tuple(original for name in present for original in name.originals),
            resized=tuple(original for name in present if name.ours in resized for original in name.originals),
            dropped=dropped,
            fresh=tuple(original for name in names if name.ours in absent for original in name.originals),
            untrained=untrained,
            surprising=surprising,
            parts=foreign.parts,
            skipped=foreign.skipped,
        ),
    )


def may_be_fresh(absent: set[str], description: ModelDescription, tensors: NamedTensors) -> set[str]:
    """Of our tensors that a file lacks, those that it may lack."""
    if not isinstance(description, CoarseDescription):
        return set()
    if not has_heads(tensors):
        return {name for name in absent if not name.startswith(BACKBONE)}
    if description.kind not in PAIR_KINDS:
        return set()
    matching = {name for name in absent if name.startswith(MATCHING)} if tensors.has("temp") else set()
    return matching | ({TEMPERATURE} if tensors.has("itm_score.") else set())


def refuse_missing(tensors: NamedTensors, names: tuple[TensorName, ...], missing: set[str]) -> None:
    """Raise a UserError that names tensors which a file should have."""
    if not missing:
        return
    lacking = tuple(
        original
        for name in names
        if name.ours in missing
        for original in name.originals
        if original not in tensors.state
    )
    raise UserError(
        f"{tensors.where} lacks {len(lacking)} tensors of its model, {examples(lacking)}: is it cut, or of "
        "another task than it seems (task=...)?"
    )


def check_tables(where: str, ours: Mapping[str, Tensor], description: ModelDescription) -> None:
    """Raise a UserError if position biases are of different windows."""
    rows = (2 * description.backbone.image.window_size - 1) ** 2
    for name, value in ours.items():
        if name.endswith(POSITION_BIAS) and (value.ndim != 2 or len(value) != rows):
            raise UserError(
                f"{where} is of mixed sizes: {name} is {tuple(value.shape)}, the first of its kind has {rows} rows."
            )


def check_shapes(where: str, ours: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise a UserError if a tensor does not go with the sizes that others told."""
    for name, value in ours.items():
        if value.shape != expected[name].shape:
            raise UserError(
                f"{where} is of mixed sizes: {name} is {tuple(value.shape)}, where its other tensors ask for "
                f"{tuple(expected[name].shape)}."
            )


def resize(
    ours: dict[str, Tensor], description: ModelDescription, image_size: int | None
) -> tuple[ModelDescription, set[str]]:
    """Bring position biases of the coarse stage to an image size, in place, and name them."""
    if not isinstance(description, CoarseDescription) or image_size in (None, description.image_size):
        return description, set()
    assert image_size is not None
    stride = description.backbone.image.stride
    check_image_size(image_size, stride)
    window = image_size // stride
    description = replace(description, image_size=image_size, backbone=description.backbone.with_window(window))
    resized = {name for name, value in ours.items() if name.endswith(POSITION_BIAS)}
    for name in resized:
        ours[name] = resize_position_bias(ours[name].float(), window)
    return description, resized


def filled(where: str, description: ModelDescription, ours: Mapping[str, Tensor], *, keep_random: bool) -> nn.Module:
    """The model in evaluation mode; what `ours` lacks of the matching head is zero unless all heads are random."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_model(description)
    own = model.state_dict()
    check_shapes(where, ours, own)
    fresh = {name: value for name, value in own.items() if name not in ours}
    if not keep_random:
        fresh = {name: torch.zeros_like(v) if name.startswith(MATCHING) else v for name, v in fresh.items()}
    model.load_state_dict({**fresh, **ours})
    return model.eval()
