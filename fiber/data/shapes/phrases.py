"""Captions of shapes whose phrases are tied to boxes."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.task_readers import GroundingReader
from fiber.data.records import GroundedCaption, Phrase
from fiber.data.shapes.captioned_scene import CaptionedScene, captioned_scene
from fiber.data.shapes.corpus import shapes_corpus
from fiber.data.shapes.scene import Scene
from fiber.data.shapes.world import ShapesImages


class ShapesPhrases(ShapesImages, GroundingReader):
    """Two phrases per caption; a phrase that counts names several boxes. Arguments as for `ShapesWorld`."""

    def sample(self, index: int) -> CaptionedScene:
        """Scene, caption and phrases of one image."""
        return captioned_scene(self.rng(index))

    def scene(self, index: int) -> Scene:
        return self.sample(index).scene

    def grounded_caption(self, index: int) -> GroundedCaption:
        sample = self.sample(index)
        boxes = [item.pixel_box(self.image_size) for item in sample.scene.objects]
        phrases = (Phrase((phrase.span,), tuple(boxes[item] for item in phrase.objects)) for phrase in sample.phrases)
        return GroundedCaption(sample.caption, tuple(phrases))

    def sizes(self) -> NDArray[np.int64]:
        return np.full((len(self), 2), self.image_size, dtype=np.int64)

    def texts(self) -> Iterator[str]:
        yield from shapes_corpus()
