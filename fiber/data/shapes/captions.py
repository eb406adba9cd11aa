"""Captioned images of shapes."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.base import CaptionReader
from fiber.data.shapes.caption_check import names_looks
from fiber.data.shapes.captioned_scene import CaptionedScene, captioned_scene
from fiber.data.shapes.corpus import shapes_corpus
from fiber.data.shapes.scene import Scene
from fiber.data.shapes.world import ShapesImages, Split
from fiber.utils.errors import UserError

MAX_ATTEMPTS = 100


class ShapesCaptions(ShapesImages, CaptionReader):
    """Images of shapes with one caption each.

    In the validation and test splits no caption occurs twice, so that retrieval has one right answer.

    Args:
        split: `train`, `val` or `test`.
        num_samples: images.
        image_size: side in pixels.
        seed: of the world; splits of one seed share no scene.

    Raises:
        UserError: more images with captions of their own are asked for than the world holds.
    """

    def __init__(self, split: str, *, num_samples: int, image_size: int, seed: int = 0) -> None:
        super().__init__(split, num_samples=num_samples, image_size=image_size, seed=seed)
        self.attempts = None if self.split is Split.TRAIN else self.find_new_captions()

    def find_new_captions(self) -> list[int]:
        """For every sample, the first attempt whose caption no earlier sample has."""
        seen: set[str] = set()
        attempts = []
        for index in range(self.num_samples):
            for attempt in range(MAX_ATTEMPTS):
                caption = captioned_scene(self.rng(index, attempt)).caption
                if caption not in seen:
                    break
            else:
                raise UserError(f"{self.name}: num_samples={self.num_samples} is more than there are captions.")
            seen.add(caption)
            attempts.append(attempt)
        return attempts

    def sample(self, index: int) -> CaptionedScene:
        """Scene and caption of one image."""
        return captioned_scene(self.rng(index, 0 if self.attempts is None else self.attempts[index]))

    def scene(self, index: int) -> Scene:
        return self.sample(index).scene

    def captions(self, index: int) -> Sequence[str]:
        return (self.sample(index).caption,)

    def names_looks(self, index: int, caption: str) -> bool:
        """Whether a caption names colour and shape of everything in an image, and nothing else."""
        return names_looks(caption, self.scene(index))

    def caption_counts(self) -> NDArray[np.int64]:
        return np.ones(len(self), dtype=np.int64)

    def texts(self) -> Iterator[str]:
        yield from shapes_corpus()
