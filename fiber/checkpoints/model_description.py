"""What a model is beside its weights: enough to build it and to feed it. The content of `config.json`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from fiber.generation.caption_generator import GenerationConfig
from fiber.models.config import FusionConfig
from fiber.models.detector_config import DetectorConfig
from fiber.utils.configs import build_dataclass
from fiber.utils.errors import UserError
from fiber.utils.ranges import check_counts, is_whole

FORMAT_VERSION = 1
"""Of `config.json`; a library reads this one alone until there is a second."""
MODEL_TYPE = "fiber"
LARGEST_SIDE = 8192
"""Pixels of a picture that a model may be described to see; a wrong digit more would take hours and all memory."""
HEADER = ("model_type", "format_version", "origin")
"""Keys of `config.json` beside those of the description."""


class ModelKind(StrEnum):
    """Heads on the fused backbone."""

    PRETRAINING = "pretraining"
    """Embeds, matches, and names masked words."""
    RETRIEVAL = "retrieval"
    """Embeds and matches."""
    QUESTION_ANSWERING = "question_answering"
    VISUAL_REASONING = "visual_reasoning"
    CAPTIONING = "captioning"
    DETECTOR = "detector"


@dataclass(frozen=True, kw_only=True)
class CoarseDescription:
    """A model of the coarse stage, which sees squares."""

    kind: ModelKind
    backbone: FusionConfig
    image_size: int
    """Pixels of the square."""
    max_text_length: int
    """Tokens, special ones included."""
    num_answers: int | None = None
    """Of question answering."""
    generation: GenerationConfig = field(default_factory=GenerationConfig)
    """How captions are written unless the caller says otherwise."""
    untrained: tuple[str, ...] = ()
    """Parts whose weights no training has made, such as `matching_head`: what they give means nothing."""

    def __post_init__(self) -> None:
        stride = self.backbone.image.stride
        if self.image_size % stride or not stride <= self.image_size <= LARGEST_SIDE:
            raise UserError(
                f"image_size={self.image_size}: give a multiple of {stride} pixels, at most {LARGEST_SIDE}."
            )
        check_text_length(self.max_text_length, self.backbone, name="max_text_length")
        if self.kind is ModelKind.DETECTOR:
            raise UserError("kind=detector: a detector is described by the key detector, not by backbone.")
        if self.kind is ModelKind.QUESTION_ANSWERING:
            check_counts(self, "", "num_answers")


@dataclass(frozen=True, kw_only=True)
class DetectorDescription:
    """A detector, which sees pictures in their own aspect."""

    detector: DetectorConfig
    short_side: int
    """Pixels to which the shorter side of a picture is resized."""
    max_side: int
    """Pixels of the longer side at most."""
    kind: ModelKind = ModelKind.DETECTOR

    def __post_init__(self) -> None:
        for name in ("short_side", "max_side"):
            if not 1 <= getattr(self, name) <= LARGEST_SIDE:
                raise UserError(f"{name}={getattr(self, name)}: give 1 to {LARGEST_SIDE} pixels.")
        check_text_length(self.detector.text_budget, self.backbone, name="detector.text_budget")
        if self.kind is not ModelKind.DETECTOR:
            raise UserError(f"kind={self.kind}: what has a detector is of kind {ModelKind.DETECTOR}.")

    @property
    def backbone(self) -> FusionConfig:
        return self.detector.backbone


def check_text_length(length: int, backbone: FusionConfig, *, name: str) -> None:
    """Raise a UserError, which calls the length `name`, unless texts hold a word and fit the positions."""
    if not 3 <= length <= backbone.longest_text:
        raise UserError(f"{name}={length}: the positions allow 3 to {backbone.longest_text} tokens.")


ModelDescription = CoarseDescription | DetectorDescription


def description_json(description: ModelDescription, *, origin: str) -> str:
    """Content of `config.json`.

    Args:
        description: of the model.
        origin: where the weights come from, in words for people.
    """
    header = dict(zip(HEADER, (MODEL_TYPE, FORMAT_VERSION, origin), strict=True))
    content = {**header, **asdict(description)}
    return json.dumps(content, indent=2) + "\n"


def read_description(content: Any, where: str) -> ModelDescription:
    """The description in the content of a `config.json`.

    Args:
        content: parsed.
        where: the file, for messages.

    Raises:
        UserError: it is of another library or a later format, or an entry is unknown, missing or wrong.
    """
    version = content.get("format_version") if isinstance(content, Mapping) else None
    if not isinstance(content, Mapping) or content.get("model_type") != MODEL_TYPE or not is_version(version):
        raise UserError(f"{where} describes no model of this library: give the directory of a run or of an export.")
    if version != FORMAT_VERSION:
        raise UserError(
            f"{where} has format_version={version}, this library reads {FORMAT_VERSION}: update it "
            "(pip install -U fiber-vl)."
        )
    values = {key: value for key, value in content.items() if key not in HEADER}
    try:
        if values.get("kind") == ModelKind.DETECTOR:
            return build_dataclass(DetectorDescription, values, "model")
        return build_dataclass(CoarseDescription, values, "model")
    except UserError as error:
        raise UserError(f"{where} is damaged: {error}") from error


def is_version(value: Any) -> bool:
    """Whether this can be the number of a format."""
    return is_whole(value) and value >= 1
