"""Sizes of the models from a composed configuration."""

from omegaconf import DictConfig

from fiber.models.config import FusionConfig
from fiber.models.detector_config import DetectorConfig
from fiber.utils.configs import build_dataclass, plain
from fiber.utils.errors import UserError

OTHER_MODEL_KEYS = ("pretrained_image", "pretrained_text", "detector")
"""Of the `model` part: not of the backbone's sizes."""
WINDOW = 12
"""Side of an attention window in tokens where the model sets none."""


def build_model_config(
    config: DictConfig, *, default_window: int, max_text_length: int, vocab_size: int
) -> FusionConfig:
    """Sizes of the model, those derived from data filled in.

    Args:
        config: the `model` part.
        default_window: side of an attention window in tokens where none is set.
        max_text_length: tokens.
        vocab_size: of the tokeniser.

    Raises:
        UserError: texts longer than the model's positions.
    """
    values = {key: value for key, value in plain(config).items() if key not in OTHER_MODEL_KEYS}
    window = values["image"].pop("window_size", None)
    model = build_dataclass(FusionConfig, values, "model").with_vocabulary(vocab_size)
    if max_text_length > model.longest_text:
        raise UserError(
            f"max_text_length={max_text_length} is more than model.text.max_positions allows: {model.longest_text}."
        )
    return model.with_window(window or default_window)


def build_detector_config(config: DictConfig, *, vocab_size: int) -> DetectorConfig:
    """Sizes of the model with the recipe's choices."""
    backbone = build_model_config(
        config.model, default_window=WINDOW, max_text_length=config.max_text_length, vocab_size=vocab_size
    )
    values = plain(config.model.detector) | plain(config.detector) | {"text_budget": config.max_text_length}
    return build_dataclass(DetectorConfig, values, "detector").with_backbone(backbone)
