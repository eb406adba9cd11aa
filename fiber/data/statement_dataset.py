"""Statements about two images of one reader."""

import numpy as np
import torch

from fiber.data.batch import SampleKey
from fiber.data.direction_words import names_direction
from fiber.data.readers.task_readers import StatementReader
from fiber.data.replacing_dataset import ReplacingDataset
from fiber.data.statement_batch import StatementSample
from fiber.data.transforms import PixelTransform
from fiber.utils.errors import UserError


class StatementDataset(ReplacingDataset[StatementSample]):
    """Every statement with its images, in the reader's order.

    Both images are flipped or neither is, and none whose statement says left or right. The original flips each of them
    at random, whatever is said.

    Args:
        reader: the statements and images.
        transform: picture to pixels.
        seed: of the random choices, which also depend on the draw.
        training: in training a sample with a broken image is replaced by a random other one and reported; in evaluation
            it is an error.
        max_samples: use only the first so many.

    Raises:
        UserError: the reader is empty.
    """

    def __init__(
        self,
        reader: StatementReader,
        *,
        transform: PixelTransform,
        seed: int,
        training: bool,
        max_samples: int | None = None,
    ) -> None:
        if len(reader) == 0:
            raise UserError(f"{reader.name}: the split holds no statement.")
        super().__init__(reader.name, seed=seed, training=training)
        self.reader = reader
        self.transform = transform
        self.num_samples = len(reader) if max_samples is None else min(max_samples, len(reader))

    def __len__(self) -> int:
        return self.num_samples

    def location(self, index: int) -> str:
        return self.reader.location(index)

    def read(self, index: int, key: SampleKey, rng: np.random.Generator, broken: tuple[str, ...]) -> StatementSample:
        pictures = self.reader.load_images(index)
        statement = self.reader.statement(index)
        flip = self.transform.draw_flip(rng) and not names_direction(statement.text)
        image = torch.stack([self.transform(picture, rng, flip=flip) for picture in pictures])  # 2 3 S S
        return StatementSample(image, statement, key, broken)
