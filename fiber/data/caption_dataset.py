"""Images of one reader to be captioned."""

import numpy as np

from fiber.data.batch import SampleKey
from fiber.data.caption_batch import CaptionSample
from fiber.data.captioned_images import CaptionedImages
from fiber.data.direction_words import names_direction
from fiber.data.readers.base import CaptionReader
from fiber.data.transforms import PixelTransform
from fiber.utils.errors import UserError


class CaptionDataset(CaptionedImages[CaptionSample]):
    """In training every image with each of its captions; in evaluation every image once, with its first caption.

    An image is not flipped where one of its captions tells left from right. The original flips all the same.

    Args: as of `CaptionedImages`.

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
        if reader.blank_images and not training:
            raise blank_error(reader, reader.blank_images[0])
        super().__init__(
            reader, transform=transform, seed=seed, training=training, every_caption=training, max_samples=max_samples
        )

    def read(self, index: int, key: SampleKey, rng: np.random.Generator, broken: tuple[str, ...]) -> CaptionSample:
        image_index = self.image_index(index)
        references = tuple(self.reader.captions(image_index))
        if not (self.training or any(caption.strip() for caption in references)):
            raise blank_error(self.reader, self.location(index))
        flip = False if any(map(names_direction, references)) else None
        image = self.transform(self.reader.load_image(image_index), rng, flip=flip)
        return CaptionSample(image, self.caption(index), references, key, broken)


def blank_error(reader: CaptionReader, image: str) -> UserError:
    """What to say of an image that a caption cannot be held against."""
    return UserError(
        f"{reader.name}: cannot evaluate captions of {image}: it has no reference caption that is not blank. "
        "Mend the annotations, or take the image out of the split."
    )
