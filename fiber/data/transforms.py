"""From a picture to the square of pixels that is stored in a batch. Axes: S side in pixels."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fiber.data.rand_augment import rand_augment
from fiber.utils.errors import UserError

STRIDE = 32
"""Pixels per token of Swin's last stage."""


def require_image_size(image_size: int) -> None:
    """Raise a UserError if the image is not made of whole tokens."""
    if image_size < STRIDE or image_size % STRIDE:
        lower = max(STRIDE, image_size // STRIDE * STRIDE)
        raise UserError(
            f"image_size={image_size} is no multiple of {STRIDE}: give {lower} or {lower + STRIDE} pixels, say."
        )


class PixelTransform(ABC):
    """Makes a square of `image_size` pixels; all randomness comes from the generator handed in.

    Raises:
        UserError: `image_size` is no positive multiple of 32.
    """

    def __init__(self, image_size: int) -> None:
        require_image_size(image_size)
        self.image_size = image_size

    def __call__(self, image: Image.Image, rng: np.random.Generator, *, flip: bool | None = None) -> Tensor:
        """RGB picture of any size -> uint8 3 S S.

        Args:
            image: the picture.
            rng: the only source of randomness.
            flip: whether left and right change places; None = as the transform draws it. To be False where the text
                tells left from right (the original flips all the same), and one draw for images that belong together.
        """
        pixels = np.asarray(self.square(image, rng, flip=flip))  # S S 3
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy())

    def draw_flip(self, rng: np.random.Generator) -> bool:
        """Whether to flip a picture; never, unless the transform augments."""
        return False

    @abstractmethod
    def square(self, image: Image.Image, rng: np.random.Generator, *, flip: bool | None) -> Image.Image:
        """The square as a picture; arguments as for a call."""


class ResizeTransform(PixelTransform):
    """Bicubic resize to the square, whatever the aspect: the original's evaluation and pre-training transform."""

    def square(self, image: Image.Image, rng: np.random.Generator, *, flip: bool | None) -> Image.Image:
        square = image.resize((self.image_size, self.image_size), Image.Resampling.BICUBIC)
        return mirror(square) if flip else square


class RandAugmentTransform(PixelTransform):
    """Random resized crop, horizontal flip and RandAugment: the original's fine-tuning transform."""

    area = (0.5, 1.0)
    """Share of the picture that a crop keeps."""
    aspect = (3 / 4, 4 / 3)
    flip_probability = 0.5
    attempts = 10
    """Draws of a crop that fits before the whole picture is taken."""

    def draw_flip(self, rng: np.random.Generator) -> bool:
        return bool(rng.random() < self.flip_probability)

    def square(self, image: Image.Image, rng: np.random.Generator, *, flip: bool | None) -> Image.Image:
        size = (self.image_size, self.image_size)
        image = image.resize(size, Image.Resampling.BICUBIC, box=self.crop_box(image.width, image.height, rng))
        flipped = self.draw_flip(rng) if flip is None else flip
        return rand_augment(mirror(image) if flipped else image, rng)

    def crop_box(self, width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of a random crop, in pixels."""
        for _ in range(self.attempts):
            area = width * height * rng.uniform(*self.area)
            aspect = np.exp(rng.uniform(*np.log(self.aspect)))
            crop_width, crop_height = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
            if 0 < crop_width <= width and 0 < crop_height <= height:
                left = int(rng.integers(0, width - crop_width + 1))
                top = int(rng.integers(0, height - crop_height + 1))
                return left, top, left + crop_width, top + crop_height
        return 0, 0, width, height


def mirror(image: Image.Image) -> Image.Image:
    """Left and right change places."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
