"""Image-text pairs of one reader."""

import numpy as np

from fiber.data.batch import PairSample, SampleKey
from fiber.data.readers.base import CaptionReader
from fiber.data.replacing_dataset import ReplacingDataset
from fiber.data.transforms import PixelTransform
from fiber.utils.errors import UserError


class PairDataset(ReplacingDataset[PairSample]):
    """Every image with each of its captions, image by image in the reader's order.

    Args:
        reader: the images and captions.
        transform: picture to pixels.
        seed: of the random choices, which also depend on the draw.
        training: in training a broken image is replaced by a random other pair and reported; in evaluation it is an
            error.
        max_pairs: use only the first so many pairs.

    Raises:
        UserError: the reader is empty.
    """

    def __init__(
        self,
        reader: CaptionReader,
        *,
        transform: PixelTransform,
        seed: int,
        training: bool,
        max_pairs: int | None = None,
    ) -> None:
        if len(reader) == 0:
            raise UserError(f"{reader.name}: the split holds no image with a caption.")
        super().__init__(reader.name, seed=seed, training=training)
        self.reader = reader
        self.transform = transform
        # Where the captions of each image begin among all captions; 8 bytes an image.
        counts = reader.caption_counts()
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        self.num_pairs = int(self.starts[-1]) if max_pairs is None else min(max_pairs, int(self.starts[-1]))

    def __len__(self) -> int:
        return self.num_pairs

    def image_index(self, index: int) -> int:
        """The image of a pair."""
        return int(np.searchsorted(self.starts, index, side="right")) - 1

    def caption(self, index: int) -> str:
        """The caption of a pair."""
        image_index = self.image_index(index)
        return self.reader.captions(image_index)[index - int(self.starts[image_index])]

    def location(self, index: int) -> str:
        return self.reader.location(self.image_index(index))

    def read(self, index: int, key: SampleKey, rng: np.random.Generator, broken: tuple[str, ...]) -> PairSample:
        image_index = self.image_index(index)
        image = self.transform(self.reader.load_image(image_index), rng)
        return PairSample(image, self.caption(index), image_index, key, broken)
