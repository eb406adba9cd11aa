"""A federated reader without files."""

from collections.abc import Sequence
from typing import NamedTuple

from fiber.data.readers.task_readers import FederatedReader
from fiber.data.records import Box, LabeledBox

from .box_readers import MemoryImages


class CheckedImage(NamedTuple):
    """What is known of an image."""

    objects: Sequence[LabeledBox] = ()
    negative: Sequence[int] = ()
    not_exhaustive: Sequence[int] = ()


class MemoryFederated(MemoryImages, FederatedReader):
    """Objects of a frequent, a common and a rare class; image ids are 100, 101, ..."""

    classes = ("cat", "dog, small", "owl")
    category_ids = (3, 5, 9)
    frequencies = ("f", "c", "r")

    def __init__(self, *images: CheckedImage) -> None:
        super().__init__(len(images))
        self.images = images

    def image_id(self, index: int) -> str:
        return str(100 + index)

    def objects(self, index: int) -> Sequence[LabeledBox]:
        return self.images[index].objects

    def negative_classes(self, index: int) -> Sequence[int]:
        return self.images[index].negative

    def not_exhaustive_classes(self, index: int) -> Sequence[int]:
        return self.images[index].not_exhaustive


CAT, DOG, OWL = range(3)
Found = tuple[Box, int, float]
"""Box, class and score."""

EXAMPLE = MemoryFederated(
    CheckedImage([LabeledBox((10, 10, 110, 110), CAT)], negative=[DOG]),
    CheckedImage([LabeledBox((20, 20, 120, 120), CAT), LabeledBox((0, 0, 50, 50), DOG)], not_exhaustive=[CAT]),
)
"""Two images whose figures under the fixed protocol the original's evaluator gave."""
EXAMPLE_FOUND: tuple[tuple[Found, ...], ...] = (
    (
        ((10, 10, 110, 110), CAT, 0.9),
        ((100, 100, 150, 150), CAT, 0.8),
        ((0, 0, 30, 30), OWL, 0.7),  # the image was not checked for owls
        ((5, 5, 50, 50), DOG, 0.95),  # the image is known to show none
    ),
    (
        ((20, 20, 120, 120), CAT, 0.6),
        ((0, 0, 50, 50), DOG, 0.5),
        ((150, 150, 190, 190), CAT, 0.85),  # a cat may be without a box
    ),
)
