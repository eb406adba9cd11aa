"""Image-text pairs of one reader."""

import numpy as np

from fiber.data.batch import PairSample, SampleKey
from fiber.data.captioned_images import CaptionedImages
from fiber.data.direction_words import names_direction


class PairDataset(CaptionedImages[PairSample]):
    """Every image with each of its captions.

    An image is not flipped where its caption tells left from right. The original flips all the same.
    """

    def read(self, index: int, key: SampleKey, rng: np.random.Generator, broken: tuple[str, ...]) -> PairSample:
        image_index, caption = self.image_index(index), self.caption(index)
        flip = False if names_direction(caption) else None
        image = self.transform(self.reader.load_image(image_index), rng, flip=flip)
        return PairSample(image, caption, image_index, key, broken)
