"""Images of one reader to be captioned."""

import numpy as np

from fiber.data.batch import SampleKey
from fiber.data.caption_batch import CaptionSample
from fiber.data.direction_words import names_direction
from fiber.data.readers.base import CaptionReader
from fiber.data.replacing_dataset import ReplacingDataset
from fiber.data.transforms import PixelTransform
from fiber.utils.errors import UserError


class CaptionDataset(ReplacingDataset[CaptionSample]):
    """In training every image with each of its captions; in evaluation every image once, with its first caption.

    An image is not flipped where one of its captions tells left from right. The original flips all the same.

    Args:
        reader: the images and captions.
        transform: picture to pixels.
        seed: of the random choices, which also depend on the draw.
        training: also whether a broken image is replaced by a random other one.
        max_samples: use only the first so many samples.

    Raises:
        UserError: the reader is empty or, in evaluation, an image has only blank captions.
    """

    def __init__(
        self,
        reader: CaptionReader,
        *,
        transform: PixelTransform,
        seed: int,
        training: bool,
        max_samples: int | None = None,
    ) -> None:
        if len(reader) == 0:
            raise UserError(f"{reader.name}: the split holds no image with a caption.")
        if reader.blank_images and not training:
            raise blank_error(reader, reader.blank_images[0])
        super().__init__(reader.name, seed=seed, training=training)
        self.reader = reader
        self.transform = transform
        # Where the samples of each image begin among all; 8 bytes an image.
        counts = reader.caption_counts() if training else np.ones(len(reader), dtype=np.int64)
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        self.num_samples = int(self.starts[-1]) if max_samples is None else min(max_samples, int(self.starts[-1]))

    def __len__(self) -> int:
        return self.num_samples

    def image_index(self, index: int) -> int:
        """The image of a sample."""
        return int(np.searchsorted(self.starts, index, side="right")) - 1

    def location(self, index: int) -> str:
        return self.reader.location(self.image_index(index))

    def read(self, index: int, key: SampleKey, rng: np.random.Generator, broken: tuple[str, ...]) -> CaptionSample:
        image_index = self.image_index(index)
        references = tuple(self.reader.captions(image_index))
        if not (self.training or any(caption.strip() for caption in references)):
            raise blank_error(self.reader, self.location(index))
        flip = False if any(map(names_direction, references)) else None
        return CaptionSample(
            self.transform(self.reader.load_image(image_index), rng, flip=flip),
            references[index - int(self.starts[image_index])],
            references,
            self.reader.image_id(image_index),
            key,
            broken,
        )


def blank_error(reader: CaptionReader, image: str) -> UserError:
    """What to say of an image that a caption cannot be held against."""
    return UserError(
        f"{reader.name}: cannot evaluate captions of {image}: it has no reference caption that is not blank. "
        "Mend the annotations, or take the image out of the split."
    )
