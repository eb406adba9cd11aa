"""Pairs to learn matching from, half of which may be joined at random."""

import numpy as np

from fiber.data.batch import SampleKey
from fiber.data.pair_dataset import PairDataset
from fiber.data.replacing_dataset import ReplacingDataset
from fiber.data.retrieval_batch import MatchingSample
from fiber.utils.errors import UserError


class MatchingPairs(ReplacingDataset[MatchingSample]):
    """True pairs, or every other one with the caption of another image.

    With random negatives, draws of odd number join a sample's image with a caption drawn uniformly from all that belong
    to other images. Draws are numbered through the global batches, so that half of every one matches, however many
    processes share it. The original draws another image for the caption, perhaps its own; that gives the same pairs as
    often, and would read a second file for half of the samples.

    Args:
        pairs: the true pairs.
        random_negatives: whether every other pair is joined at random.

    Raises:
        UserError: there is no other image to take a caption from.
    """

    def __init__(self, pairs: PairDataset, *, random_negatives: bool) -> None:
        super().__init__(pairs.name, seed=pairs.seed, training=pairs.training)
        if random_negatives and pairs.image_index(len(pairs) - 1) == 0:
            raise UserError(f"{pairs.name}: a single image has no caption that does not match: give more samples.")
        self.pairs = pairs
        self.random_negatives = random_negatives

    def __len__(self) -> int:
        return len(self.pairs)

    def location(self, index: int) -> str:
        return self.pairs.location(index)

    def read(self, index: int, key: SampleKey, rng: np.random.Generator, broken: tuple[str, ...]) -> MatchingSample:
        pair = self.pairs.read(index, key, rng, broken)
        matches = not self.random_negatives or key.draw % 2 == 0
        caption = pair.caption if matches else self.pairs.caption(self.other_image(index, rng))
        return MatchingSample(pair.image, caption, matches, key, broken)

    def other_image(self, index: int, rng: np.random.Generator) -> int:
        """A random pair of another image."""
        image = self.pairs.image_index(index)
        first, after = int(self.pairs.starts[image]), min(int(self.pairs.starts[image + 1]), len(self.pairs))
        other = int(rng.integers(len(self.pairs) - (after - first)))
        return other if other < first else other + after - first
