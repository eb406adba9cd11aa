"""From a picture with boxes to the pixels of the fine stage.

Axes: H W pixels, K boxes. Boxes are continuous xyxy in pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fiber.utils.errors import UserError


@dataclass(frozen=True, kw_only=True)
class GroundingTransformConfig:
    """Sizes and flips. Defaults: fine pre-training; evaluation has one short side, 800, and never flips."""

    short_sides: Sequence[int] = (480, 560, 640, 720, 800)
    """Pixels of the shorter side, one of which is drawn for every image."""
    max_side: int = 1333
    """Pixels of the longer side at most; what is longer has a shorter side below the drawn one."""
    flip_probability: float = 0.5

    def __post_init__(self) -> None:
        if not self.short_sides or min(self.short_sides) < 1 or self.max_side < 1:
            raise UserError(
                f"image transform: short_sides={list(self.short_sides)}, max_side={self.max_side}: give positive "
                "numbers of pixels, say short_sides=[800] max_side=1333."
            )
        if not 0 <= self.flip_probability <= 1:
            raise UserError(f"image transform: flip_probability={self.flip_probability}: give a number from 0 to 1.")


class TransformedImage(NamedTuple):
    """An image as the model sees it."""

    image: Tensor
    """uint8 3 H W, RGB."""
    boxes: Tensor
    """float32 K 4, in its pixels."""
    flipped: bool
    """Whether left is right; the caller swaps the words of a caption (`swap_directions`), never class names."""


class GroundingTransform:
    """Resizes, keeping the aspect, and flips; all randomness comes from the generator handed in."""

    def __init__(self, config: GroundingTransformConfig) -> None:
        self.config = config

    def __call__(self, image: Image.Image, boxes: Tensor, rng: np.random.Generator) -> TransformedImage:
        """RGB picture of any size with float32 K 4 boxes in its pixels -> what the model sees of it."""
        short_side = self.config.short_sides[int(rng.integers(len(self.config.short_sides)))]
        flipped = bool(rng.random() < self.config.flip_probability)
        height, width = resized_size(*image.size, short_side=short_side, max_side=self.config.max_side)
        scale = boxes.new_tensor([width / image.width, height / image.height])
        boxes = boxes * scale.repeat(2)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        if flipped:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            boxes = flip_boxes(boxes, width)
        pixels = np.asarray(image).transpose(2, 0, 1)  # 3 H W
        return TransformedImage(torch.from_numpy(pixels.copy()), boxes, flipped)


def resized_size(width: int, height: int, *, short_side: int, max_side: int) -> tuple[int, int]:
    """Height and width of an image whose shorter side becomes `short_side`, or less where the longer one would be above
    `max_side`; the longer one is rounded down."""
    short, long = min(width, height), max(width, height)
    if long / short * short_side > max_side:
        # A long thin image keeps one pixel of its short side.
        short_side = max(1, round(max_side * short / long))
    long_side = short_side * long // short
    return (long_side, short_side) if width < height else (short_side, long_side)


def flip_boxes(boxes: Tensor, width: int) -> Tensor:
    """Boxes K 4 of the mirror image, `width` pixels wide."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack([width - x2, y1, width - x1, y2], dim=-1)
