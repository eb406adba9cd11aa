"""A transform that tells how it was called."""

import numpy as np
from PIL import Image

from fiber.data.transforms import PixelTransform


class NotedFlips(PixelTransform):
    """Leaves pictures as they are, and notes whether flipping was ruled out."""

    def __init__(self) -> None:
        super().__init__(32)
        self.flips: list[bool | None] = []

    def square(self, image: Image.Image, rng: np.random.Generator, *, flip: bool | None) -> Image.Image:
        self.flips.append(flip)
        return image
