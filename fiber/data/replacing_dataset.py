"""Samples one of whose images may be broken."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import numpy as np
from torch.utils.data import Dataset

from fiber.data.batch import SampleKey
from fiber.data.broken_images import Replacements
from fiber.data.readers.base import BrokenImageError

S = TypeVar("S")


class ReplacingDataset(Dataset[S], ABC, Generic[S]):
    """In training, a random other sample stands in for one with a broken image; in evaluation that is an error.

    Args:
        name: of the data set, for messages.
        seed: of the random choices, which also depend on the draw.
        training: whether broken images are replaced.
    """

    def __init__(self, name: str, *, seed: int, training: bool) -> None:
        self.name = name
        self.seed = seed
        self.training = training

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def location(self, index: int) -> str:
        """Where the images of a sample lie, for messages."""

    @abstractmethod
    def read(self, index: int, key: SampleKey, rng: np.random.Generator, broken: tuple[str, ...]) -> S:
        """One sample.

        Args:
            index: of the sample.
            key: what the sampler asked for; its sample is another one where that one was broken.
            rng: for every random choice.
            broken: locations of the images passed over, to be handed on in the sample.

        Raises:
            BrokenImageError: an image is missing or cannot be decoded.
        """

    def __getitem__(self, key: SampleKey) -> S:
        """Read one sample.

        Raises:
            UserError: a broken image in evaluation, or ten in a row in training.
        """
        rng = np.random.default_rng([self.seed, key.draw])
        replacements = Replacements(self.name, training=self.training)
        index = key.sample
        while True:
            try:
                return self.read(index, key, rng, tuple(replacements.broken))
            except BrokenImageError as error:
                replacements.pass_over(self.location(index), error)
                index = int(rng.integers(len(self)))
