"""What data sets of captioned images share."""

from typing import TypeVar

import numpy as np

from fiber.data.readers.base import CaptionReader
from fiber.data.replacing_dataset import ReplacingDataset
from fiber.data.transforms import PixelTransform
from fiber.utils.errors import UserError

S = TypeVar("S")


class CaptionedImages(ReplacingDataset[S]):
    """Every image with each of its captions, or once, image by image in the reader's order.

    Args:
        reader: the images and captions.
        transform: picture to pixels.
        seed: of the random choices, which also depend on the draw.
        training: whether a broken image is replaced by a random other one and reported; in evaluation it is an error.
        every_caption: whether an image comes with each of its captions; otherwise once, with its first.
        max_samples: use only the first so many samples.

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
        every_caption: bool = True,
        max_samples: int | None = None,
    ) -> None:
        if len(reader) == 0:
            raise UserError(f"{reader.name}: the split holds no image with a caption.")
        super().__init__(reader.name, seed=seed, training=training)
        self.reader = reader
        self.transform = transform
        counts = reader.caption_counts() if every_caption else np.ones(len(reader), dtype=np.int64)
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        """Where the samples of each image begin among all, and their number; 8 bytes an image."""
        self.num_samples = int(self.starts[-1]) if max_samples is None else min(max_samples, int(self.starts[-1]))

    def __len__(self) -> int:
        return self.num_samples

    def image_index(self, index: int) -> int:
        """The image of a sample."""
        return int(np.searchsorted(self.starts, index, side="right")) - 1

    def caption(self, index: int) -> str:
        """The caption of a sample."""
        image_index = self.image_index(index)
        return self.reader.captions(image_index)[index - int(self.starts[image_index])]

    def location(self, index: int) -> str:
        return self.reader.location(self.image_index(index))
