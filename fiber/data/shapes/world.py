"""Splits of the shapes world: every sample is a function of seed, split and index."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Split(StrEnum):
    """Parts of the world that share no scene."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


@dataclass(frozen=True, kw_only=True)
class ShapesWorld:
    """A finite piece of the world."""

    split: Split
    num_samples: int
    image_size: int
    """Side in pixels."""
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "split", Split(self.split))

    def rng(self, index: int, attempt: int = 0) -> np.random.Generator:
        """Randomness of one sample; `attempt` numbers tries at a sample that must meet a condition."""
        return np.random.default_rng([self.seed, list(Split).index(self.split), index, attempt])

    def location(self, index: int) -> str:
        """Name of a sample for messages."""
        return f"shapes/{self.split}/{index}"
