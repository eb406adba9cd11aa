"""Splits of the shapes world: every sample is a function of seed, split and index."""

from abc import abstractmethod
from enum import StrEnum

import numpy as np
from PIL import Image

from fiber.data.readers.base import ImageReader
from fiber.data.shapes.scene import Scene


class Split(StrEnum):
    """Parts of the world that share no scene."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"
    TEST_A = "testA"
    TEST_B = "testB"


class ShapesWorld:
    """A finite piece of the world.

    Args:
        split: `train`, `val`, `test`, `testA` or `testB`.
        num_samples: how many.
        image_size: side in pixels.
        seed: of the world; splits of one seed share no scene.
    """

    def __init__(self, split: str, *, num_samples: int, image_size: int, seed: int = 0) -> None:
        self.split = Split(split)
        self.num_samples = num_samples
        self.image_size = image_size
        self.seed = seed
        self.name = f"shapes {split}"

    def rng(self, index: int, attempt: int = 0) -> np.random.Generator:
        """Randomness of one sample; `attempt` numbers tries at a sample that must meet a condition."""
        return np.random.default_rng([self.seed, list(Split).index(self.split), index, attempt])

    def __len__(self) -> int:
        return self.num_samples

    def location(self, index: int) -> str:
        return f"shapes/{self.split}/{index}"


class ShapesImages(ShapesWorld, ImageReader):
    """Samples of one scene each, drawn when asked for."""

    @abstractmethod
    def scene(self, index: int) -> Scene:
        """What is to be seen."""

    def image_id(self, index: int) -> str:
        return str(index)

    def load_image(self, index: int) -> Image.Image:
        return self.scene(index).render(self.image_size)
