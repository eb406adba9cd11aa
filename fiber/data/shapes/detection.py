"""Shapes as objects to detect; the classes are the four shapes."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.task_readers import DetectionReader
from fiber.data.records import LabeledBox
from fiber.data.shapes.corpus import shapes_corpus
from fiber.data.shapes.scene import Scene, Shape, random_look, random_scene
from fiber.data.shapes.world import ShapesImages

MAX_OBJECTS = 4


class ShapesDetection(ShapesImages, DetectionReader):
    """One to four objects of any colour and size per image. Arguments as for `ShapesWorld`."""

    classes = tuple(str(shape) for shape in Shape)
    category_ids = tuple(range(1, len(Shape) + 1))

    def scene(self, index: int) -> Scene:
        rng = self.rng(index)
        return random_scene(rng, [random_look(rng) for _ in range(rng.integers(1, MAX_OBJECTS + 1))])

    def objects(self, index: int) -> Sequence[LabeledBox]:
        return [
            LabeledBox(item.pixel_box(self.image_size), self.classes.index(item.look.shape))
            for item in self.scene(index).objects
        ]

    def sizes(self) -> NDArray[np.int64]:
        return np.full((len(self), 2), self.image_size, dtype=np.int64)

    def texts(self) -> Iterator[str]:
        yield from shapes_corpus()
