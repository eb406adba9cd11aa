"""Objects of a federated data set as arrays: every image was checked for some of the classes only.

Axes: N objects, P pairs of image and class.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.task_readers import FederatedReader


@dataclass(frozen=True)
class GroundTruth:
    """What is known of the images 0, 1, 2 ... of a split."""

    num_images: int
    frequencies: Sequence[str]
    """Of every class: `r`, `c` or `f`."""
    image: NDArray[np.int64]
    """N, ascending; objects of one image in the order of the annotations."""
    class_index: NDArray[np.int64]
    """N."""
    boxes: NDArray[np.float64]
    """N 4, continuous xyxy in pixels."""
    areas: NDArray[np.float64]
    """N, of the masks where annotated, in square pixels."""
    negative: NDArray[np.int64]
    """P 2, image and class that is certainly absent from it."""
    not_exhaustive: NDArray[np.int64]
    """P 2, image and class of which not every object in it has a box."""

    @classmethod
    def read(cls, reader: FederatedReader, num_images: int) -> Self:
        """The truth on the first images of a reader. LVIS knows no crowds: every box is an object."""
        images = range(num_images)
        objects = [(image, one) for image in images for one in reader.objects(image)]
        boxes = np.array([one.box for _, one in objects], dtype=np.float64).reshape(-1, 4)
        areas = np.array([np.nan if one.area is None else one.area for _, one in objects], dtype=np.float64)
        return cls(
            num_images,
            reader.frequencies,
            np.array([image for image, _ in objects], dtype=np.int64),
            np.array([one.class_index for _, one in objects], dtype=np.int64),
            boxes,
            np.where(np.isnan(areas), box_areas(boxes), areas),
            pairs((image, one) for image in images for one in reader.negative_classes(image)),
            pairs((image, one) for image in images for one in reader.not_exhaustive_classes(image)),
        )

    def pair_key(self, image: NDArray[np.integer[Any]], class_index: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """A number for every pair of image and class."""
        return class_index.astype(np.int64) * self.num_images + image

    def is_judged(self, image: NDArray[np.integer[Any]], class_index: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """Whether images were checked for classes: they have objects of them, or certainly none."""
        known = [self.pair_key(self.image, self.class_index), self.pair_key(self.negative[:, 0], self.negative[:, 1])]
        return is_in(self.pair_key(image, class_index), np.unique(np.concatenate(known)))

    def is_not_exhaustive(
        self, image: NDArray[np.integer[Any]], class_index: NDArray[np.integer[Any]]
    ) -> NDArray[np.bool_]:
        """Whether objects of classes may be without a box in images."""
        known = np.unique(self.pair_key(self.not_exhaustive[:, 0], self.not_exhaustive[:, 1]))
        return is_in(self.pair_key(image, class_index), known)


def pairs(found: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """P 2."""
    return np.array(list(found), dtype=np.int64).reshape(-1, 2)


def is_in(keys: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether keys are among the known ones, which ascend."""
    if len(known) == 0:
        return np.zeros(len(keys), dtype=np.bool_)
    places = np.searchsorted(known, keys).clip(max=len(known) - 1)
    found: NDArray[np.bool_] = known[places] == keys
    return found


def box_areas(boxes: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """K 4 -> K, in square pixels."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
