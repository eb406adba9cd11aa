"""What model a checkpoint in the original's format holds: stage, task and sizes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fiber.checkpoints import original_coarse, original_fine
from fiber.checkpoints.model_description import CoarseDescription, DetectorDescription, ModelDescription, ModelKind
from fiber.checkpoints.model_kinds import COARSE_KINDS, kind_of_task
from fiber.conversion.original_sizes import COARSE, FINE, NamedTensors, detector_sizes, fusion_sizes
from fiber.models.config import RobertaConfig
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)

DISTINCT_HEADS: Mapping[ModelKind, str] = {
    ModelKind.QUESTION_ANSWERING: "vqa_classifier.",
    ModelKind.VISUAL_REASONING: "nlvr2_classifier.",
    ModelKind.CAPTIONING: "cross_modal_att_layers.",
}
"""Beginnings of names that only models of these kinds have."""
HEADS = (*DISTINCT_HEADS.values(), "cross_modal_", "itm_score.", "mlm_score.")
PRETRAINING_TEXT, FINE_TUNING_TEXT, DETECTOR_TEXT = 40, 50, 256
"""Longest texts in tokens, as the original's configurations set them."""
SHORT_SIDE, MAX_SIDE = 800, 1333
"""Pixels to which the original resizes pictures for its detectors."""


@dataclass(frozen=True, kw_only=True)
class DescriptionOptions:
    """What a user knows better than the tensors tell."""

    task: str | None = None
    """Of the coarse stage: the heads to take, where there are those of several."""
    image_size: int | None = None
    """Pixels; position biases of the coarse stage are resized to it."""
    max_text_length: int | None = None
    """Tokens."""
    text_heads: int | None = None
    """Attention heads of the text side."""
    query_norm: bool | None = None
    """Whether the cross-attention of the image must have a norm on its query: fusion version 3."""


def describe_original(
    tensors: NamedTensors, settings: Mapping[str, Any], options: DescriptionOptions
) -> ModelDescription:
    """The model whose tensors these are.

    Args:
        tensors: under the original's names.
        settings: configuration of the original's run; empty where it is not told.
        options: of the user.

    Returns:
        With the window that the tensors have; `image_size` of the options is not followed.

    Raises:
        UserError: it is another architecture, a half, of several tasks, or of another fusion version than the user
            says.
    """
    if tensors.has(f"{FINE.image}."):
        return describe_detector(tensors, options)
    if not tensors.has(f"{COARSE.image}.") or not tensors.has(f"{COARSE.text}."):
        raise UserError(f"{tensors.where} {wording_of_others(tensors)}")
    backbone = fusion_sizes(tensors, COARSE, text_heads=options.text_heads)
    check_version(tensors, backbone.query_norm, options)
    kind = find_kind(tensors, options.task)
    fallback = PRETRAINING_TEXT if kind is ModelKind.PRETRAINING else FINE_TUNING_TEXT
    size, told = backbone.image.window_size * backbone.image.stride, settings.get("image_size")
    if isinstance(told, int) and told != size:
        log.warning("%s says image_size=%s, its position biases are of %d, which holds", tensors.where, told, size)
    return CoarseDescription(
        kind=kind,
        backbone=backbone,
        image_size=size,
        max_text_length=text_length(options, settings, backbone.text, fallback),
        num_answers=tensors.shape("vqa_classifier.3.weight", 2)[0] if kind is ModelKind.QUESTION_ANSWERING else None,
    )


def describe_detector(tensors: NamedTensors, options: DescriptionOptions) -> DetectorDescription:
    """Of the fine stage."""
    if options.task is not None:
        raise UserError(f"task={options.task} is of the coarse stage, {tensors.where} holds a detector: leave it out.")
    if options.image_size is not None and options.image_size < 1:
        raise UserError(f"image_size={options.image_size}: give the shorter side of pictures in pixels, say 800.")
    backbone = fusion_sizes(tensors, FINE, text_heads=options.text_heads)
    check_version(tensors, backbone.query_norm, options)
    budget = text_length(options, {}, backbone.text, DETECTOR_TEXT)
    return DetectorDescription(
        detector=detector_sizes(tensors, backbone, text_budget=budget),
        short_side=options.image_size or SHORT_SIDE,
        max_side=max(MAX_SIDE, options.image_size or 0),
    )


def text_length(options: DescriptionOptions, settings: Mapping[str, Any], text: RobertaConfig, fallback: int) -> int:
    """Longest text in tokens: as the user says, as the original's run had it, or as its configurations have it."""
    most = text.max_positions - text.pad_id - 1
    if options.max_text_length is not None:
        if not 2 < options.max_text_length <= most:
            raise UserError(f"max_text_length={options.max_text_length}: the positions allow 3 to {most} tokens.")
        return options.max_text_length
    told = settings.get("max_text_len")
    if isinstance(told, int) and not isinstance(told, bool) and 2 < told <= most:
        return told
    return min(fallback, most)


def check_image_size(image_size: int, stride: int) -> None:
    """Raise a UserError if the user wants a size in which the model's grid does not fit."""
    if image_size < stride or image_size % stride:
        raise UserError(f"image_size={image_size}: give a multiple of {stride}.")


def check_version(tensors: NamedTensors, query_norm: bool, options: DescriptionOptions) -> None:
    """Raise a UserError if the user takes one fusion version for the other."""
    if options.query_norm is None or options.query_norm == query_norm:
        return
    found, version = ("has", 3) if query_norm else ("lacks", 2)
    raise UserError(
        f"{tensors.where} {found} norms on the queries of the image's cross-attention (norm_i2t_i): it is of fusion "
        f"version {version} and computes something else in the other. Leave query_norm={options.query_norm} out."
    )


def find_kind(tensors: NamedTensors, task: str | None) -> ModelKind:
    """The kind of model of the coarse stage that the heads belong to, or that the user asks for.

    A backbone without any head counts as pre-training.
    """
    if task is not None:
        kind = kind_of_task("coarse", task)
        if kind is None:
            raise UserError(f"task={task}: give one of {', '.join(entry.task for entry in COARSE_KINDS.values())}.")
        return kind
    found = [kind for kind, beginning in DISTINCT_HEADS.items() if tensors.has(beginning)]
    if len(found) > 1:
        tasks = [COARSE_KINDS[kind].task for kind in found]
        raise UserError(f"{tensors.where} has heads of {' and '.join(tasks)}: choose with task={tasks[0]}.")
    if found:
        return found[0]
    matches = tensors.has("itm_score.", "temp")
    return ModelKind.RETRIEVAL if matches and not tensors.has("mlm_score.") else ModelKind.PRETRAINING


def has_heads(tensors: NamedTensors) -> bool:
    """Whether there is anything beside the backbone that was trained for a task."""
    return tensors.has(*HEADS)


def wording_of_others(tensors: NamedTensors) -> str:
    """What a file is that holds no model of the original's."""
    name = next(iter(tensors.state), None)
    if name is None:
        return "holds no tensor: give a checkpoint in the original's format, a run, or an exported model."
    for half, option in ((f"{COARSE.image}.", "text side"), (f"{COARSE.text}.", "image side")):
        if tensors.has(half):
            return f"lacks the {option}: is it a part of a checkpoint?"
    if tensors.has("layers.0.blocks.0.attn.relative_position_bias_table"):
        return "holds a Swin Transformer alone: give image=FILE and text=FILE, of a RoBERTa, instead of input."
    if tensors.has("roberta.embeddings.", "embeddings.word_embeddings."):
        return "holds a RoBERTa alone: give text=FILE and image=FILE, of a Swin Transformer, instead of input."
    return (
        f"is of another architecture: none of its {len(tensors.state)} tensors, such as {name}, begins with "
        f"{original_coarse.IMAGE_PREFIX} or {original_fine.IMAGE_PREFIX}, as the original's do."
    )
