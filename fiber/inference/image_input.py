"""From a picture to a detector's input. Axes: H W pixels."""

from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fiber.data.grounding_collate import image_sizes, pad_images
from fiber.data.grounding_transforms import GroundingTransform, GroundingTransformConfig, resized_size
from fiber.data.normalization import normalize_pixels, zero_padding
from fiber.data.transforms import STRIDE


class NetworkInput(NamedTuple):
    """One picture for the network."""

    pixels: Tensor
    """float32 1 3 H W, normalised RGB, sides multiples of 32, padding 0."""
    size: tuple[int, int]
    """Height and width without padding."""


class ImageInput:
    """Prepares pictures as a run validates on them.

    Args:
        short_side: pixels of the shorter side.
        max_side: pixels of the longer side at most; see `GroundingTransformConfig`.

    Raises:
        UserError: a side is not positive.
    """

    def __init__(self, *, short_side: int, max_side: int) -> None:
        config = GroundingTransformConfig(short_sides=(short_side,), max_side=max_side, flip_probability=0.0)
        self.transform = GroundingTransform(config)
        self.short_side, self.max_side = short_side, max_side

    def padded_size(self, image: Image.Image) -> tuple[int, int]:
        """Height and width of a picture's network input, padding included."""
        height, width = resized_size(*image.size, short_side=self.short_side, max_side=self.max_side)
        return -(-height // STRIDE) * STRIDE, -(-width // STRIDE) * STRIDE

    def __call__(self, image: Image.Image, device: torch.device | str = "cpu") -> NetworkInput:
        """RGB picture of any size -> network input on the device."""
        # Nothing is drawn at random: there is one size and no flip.
        seen = self.transform(image, torch.zeros(0, 4), np.random.default_rng(0)).image
        sizes = image_sizes([seen])
        pixels = normalize_pixels(pad_images([seen]).to(device))
        return NetworkInput(zero_padding(pixels, sizes.to(device)), (seen.shape[1], seen.shape[2]))
