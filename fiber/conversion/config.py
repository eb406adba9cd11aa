"""What a conversion is asked for."""

from dataclasses import dataclass
from enum import StrEnum

from omegaconf import DictConfig

from fiber.checkpoints.foreign_state import Weights
from fiber.conversion.original_description import DescriptionOptions
from fiber.utils.configs import build_dataclass, plain
from fiber.utils.errors import UserError

DEFAULT_TOKENIZER = "roberta-base"
DEFAULT_FUSION_LAYERS = 6
"""Of the original, which is the paper's."""


class Target(StrEnum):
    """The format to write."""

    FIBER = "fiber"
    """A folder of this library."""
    REFERENCE = "reference"
    """A file of the original."""
    PROGRAMS = "programs"
    """`torch.export` programs of a model of this library."""


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """Of the text."""

    path: str | None


@dataclass(frozen=True, kw_only=True)
class ConversionConfig:
    """`configs/convert/convert.yaml`, which explains each; None where the user says nothing."""

    input: str | None
    image: str | None
    text: str | None
    output: str | None
    to: Target
    task: str | None
    weights: str | None
    image_size: int | None
    image_height: int | None
    image_width: int | None
    max_text_length: int | None
    text_heads: int | None
    query_norm: bool | None
    num_fusion_layers: int | None
    answers: str | None
    tokenizer: TokenizerConfig
    allow_surprising: bool
    keep_extra: bool

    def __post_init__(self) -> None:
        if self.output is None:
            raise UserError("output is missing: give the folder, or with to=reference the file, to write.")
        halves = (self.image is not None, self.text is not None)
        if self.input is None and not all(halves):
            raise UserError("give input=FILE_OR_RUN, or image=SWIN_FILE and text=ROBERTA_FILE.")
        if self.input is not None and any(halves):
            raise UserError("input holds both halves of a model: leave image and text out, or input.")
        if self.weights not in (None, *Weights):
            raise UserError(f"weights={self.weights}: give {' or '.join(Weights)}.")

    @property
    def chosen_weights(self) -> Weights:
        """Of a file with both."""
        return Weights(self.weights or Weights.AVERAGED)

    @property
    def tokenizer_path(self) -> str:
        """A name of the hub, or a directory."""
        return self.tokenizer.path or DEFAULT_TOKENIZER

    @property
    def described(self) -> DescriptionOptions:
        """What the user knows better than the tensors."""
        return DescriptionOptions(
            task=self.task,
            image_size=self.image_size,
            max_text_length=self.max_text_length,
            text_heads=self.text_heads,
            query_norm=self.query_norm,
        )


def read_conversion(config: DictConfig) -> ConversionConfig:
    """The settings.

    Raises:
        UserError: one is missing or wrong.
    """
    return build_dataclass(ConversionConfig, plain(config), "convert")
