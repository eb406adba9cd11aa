"""Shapes as objects to detect; the classes are the four shapes."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiber.data.readers.task_readers import DetectionReader
from fiber.data.records import Box, LabeledBox
from fiber.data.shapes.corpus import shapes_corpus
from fiber.data.shapes.scene import Scene, Shape, random_look, random_scene
from fiber.data.shapes.sketch import Sketch, sketch
from fiber.data.shapes.world import ShapesImages
from fiber.utils.errors import UserError

MAX_OBJECTS = 4


class Style(StrEnum):
    """How scenes are drawn."""

    SOLID = "solid"
    """Filled shapes on a plain light background, as in all other tasks."""
    SKETCH = "sketch"
    """Shaky outlines on grey paper, of which a detector of solid shapes finds only some."""


class ShapesDetection(ShapesImages, DetectionReader):
    """One to four objects of any colour and size per image.

    Args:
        split: `train`, `val` or `test`.
        num_samples: images.
        image_size: side in pixels.
        seed: of the world; splits of one seed share no scene.
        style: `solid` or `sketch`, which draws the same scenes.

    Raises:
        UserError: an unknown style.
    """

    classes: Sequence[str] = tuple(str(shape) for shape in Shape)
    category_ids: Sequence[int] = tuple(range(1, len(Shape) + 1))

    def __init__(
        self, split: str, *, num_samples: int, image_size: int, seed: int = 0, style: str = Style.SOLID
    ) -> None:
        super().__init__(split, num_samples=num_samples, image_size=image_size, seed=seed)
        if style not in tuple(Style):
            raise UserError(f"{self.name}: style={style}: give {' or '.join(Style)}.")
        self.style = Style(style)

    def scene(self, index: int) -> Scene:
        rng = self.rng(index)
        return random_scene(rng, [random_look(rng) for _ in range(rng.integers(1, MAX_OBJECTS + 1))])

    def sketch(self, index: int) -> Sketch:
        """The scene drawn by hand, by randomness of its own."""
        return sketch(self.scene(index), self.rng(index, attempt=1))

    def load_image(self, index: int) -> Image.Image:
        if self.style is Style.SKETCH:
            return self.sketch(index).render(self.image_size)
        return super().load_image(index)

    def boxes(self, index: int) -> list[Box]:
        """xyxy in pixels of every object of the scene, in its order."""
        if self.style is Style.SKETCH:
            return self.sketch(index).pixel_boxes(self.image_size)
        return [item.pixel_box(self.image_size) for item in self.scene(index).objects]

    def objects(self, index: int) -> Sequence[LabeledBox]:
        return [
            LabeledBox(box, self.classes.index(item.look.shape))
            for item, box in zip(self.scene(index).objects, self.boxes(index), strict=True)
        ]

    def sizes(self) -> NDArray[np.int64]:
        return np.full((len(self), 2), self.image_size, dtype=np.int64)

    def texts(self) -> Iterator[str]:
        yield from shapes_corpus()
