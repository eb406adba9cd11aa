"""Image-text pairs of one reader."""

import numpy as np
from torch.utils.data import Dataset

from fiber.data.batch import PairSample, SampleKey
from fiber.data.broken_images import Replacements
from fiber.data.readers.base import BrokenImageError, CaptionReader
from fiber.data.transforms import PixelTransform
from fiber.utils.errors import UserError


class PairDataset(Dataset[PairSample]):
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
        self.reader = reader
        self.transform = transform
        self.seed = seed
        self.training = training
        # Where the captions of each image begin among all captions; 8 bytes an image.
        counts = reader.caption_counts()
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        self.num_pairs = int(self.starts[-1]) if max_pairs is None else min(max_pairs, int(self.starts[-1]))

    def __len__(self) -> int:
        return self.num_pairs

    def __getitem__(self, key: SampleKey) -> PairSample:
        """Read one pair.

        Raises:
            UserError: a broken image in evaluation, or ten in a row in training.
        """
        rng = np.random.default_rng([self.seed, key.draw])
        replacements = Replacements(self.reader.name, training=self.training)
        index = key.sample
        while True:
            image_index = int(np.searchsorted(self.starts, index, side="right")) - 1
            try:
                image = self.reader.load_image(image_index)
                break
            except BrokenImageError as error:
                replacements.pass_over(self.reader.location(image_index), error)
                index = int(rng.integers(len(self)))
        caption = self.reader.captions(image_index)[index - int(self.starts[image_index])]
        return PairSample(self.transform(image, rng), caption, image_index, key, tuple(replacements.broken))
