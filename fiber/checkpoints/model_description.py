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

FORMAT_VERSION = 1
"""Of `config.json`; a later library reads earlier ones."""


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


@dataclass(frozen=True, kw_only=True)
class DetectorDescription:
    """A detector, which sees pictures in their own aspect."""

    detector: DetectorConfig
    short_side: int
    """Pixels to which the shorter side of a picture is resized."""
    max_side: int
    """Pixels of the longer side at most."""
    kind: ModelKind = ModelKind.DETECTOR

    @property
    def backbone(self) -> FusionConfig:
        return self.detector.backbone


ModelDescription = CoarseDescription | DetectorDescription


def description_json(description: ModelDescription) -> str:
    """Content of `config.json`."""
    content = {"model_type": "fiber", "format_version": FORMAT_VERSION, **asdict(description)}
    return json.dumps(content, indent=2) + "\n"


def read_description(content: Mapping[str, Any], where: str) -> ModelDescription:
    """The description in the content of a `config.json`.

    Args:
        content: parsed.
        where: the file, for messages.

    Raises:
        UserError: it is of another library or a later format, or an entry is unknown, missing or wrong.
    """
    if content.get("model_type") != "fiber":
        raise UserError(f"{where} describes no model of this library: give the directory of a run or of an export.")
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise UserError(
            f"{where} has format_version={version}, this library reads {FORMAT_VERSION}: update it "
            "(pip install -U fiber-vl)."
        )
    values = {key: value for key, value in content.items() if key not in ("model_type", "format_version")}
    if values.get("kind") == ModelKind.DETECTOR:
        return build_dataclass(DetectorDescription, values, where)
    return build_dataclass(CoarseDescription, values, where)
