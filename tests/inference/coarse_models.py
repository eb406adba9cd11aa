"""Small models of the coarse stage with random weights, and pictures to show them."""

from functools import cache
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from fiber.checkpoints.model_description import CoarseDescription, ModelKind
from fiber.checkpoints.model_kinds import build_model
from fiber.data.shapes.corpus import shapes_corpus
from fiber.data.tokenization import TextTokenizer, train_tokenizer
from fiber.inference.coarse_input import CoarseInput
from fiber.models.config import FusionConfig
from fiber.models.gated_cross_attention import GatedCrossAttention

IMAGE_SIZE, TEXT_LENGTH = 64, 16


@cache
def shapes_tokenizer() -> TextTokenizer:
    return train_tokenizer(shapes_corpus(), 400)


def coarse_description(kind: ModelKind, config: FusionConfig, num_answers: int | None = None) -> CoarseDescription:
    """Of a model of the shapes world."""
    return CoarseDescription(
        kind=kind,
        backbone=config.with_vocabulary(shapes_tokenizer().vocab_size),
        image_size=IMAGE_SIZE,
        max_text_length=TEXT_LENGTH,
        num_answers=num_answers,
    )


def coarse_model(kind: ModelKind, config: FusionConfig, num_answers: int | None = None) -> tuple[Any, CoarseInput]:
    """A model of the shapes world with every gate open, and its input."""
    description = coarse_description(kind, config, num_answers)
    torch.manual_seed(0)
    model = build_model(description).eval()
    for module in model.modules():
        if isinstance(module, GatedCrossAttention):
            torch.nn.init.constant_(module.gate, 0.7)
    return model, CoarseInput(description, shapes_tokenizer(), "cpu")


def pictures(*modes: str) -> list[Image.Image]:
    """Noise of the modes, each of a size of its own."""
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (40 + 30 * place, 100 - 20 * place, 3), np.uint8) for place in range(len(modes))]
    return [Image.fromarray(pixels).convert(mode) for pixels, mode in zip(noise, modes, strict=True)]


def count_rows(module: nn.Module) -> list[int]:
    """Filled with the number of rows of every pass through the module."""
    rows: list[int] = []
    module.register_forward_hook(lambda _, inputs, output: rows.append(len(inputs[0])))
    return rows
