"""Statements about two images of shapes, half of them true."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from PIL import Image

from fiber.data.readers.task_readers import StatementReader
from fiber.data.records import Statement
from fiber.data.shapes.captioned_scene import MAX_COUNT
from fiber.data.shapes.corpus import shapes_corpus
from fiber.data.shapes.questions import different_look
from fiber.data.shapes.scene import Scene, Shape, Size, random_look, random_scene
from fiber.data.shapes.world import ShapesWorld


class StatedScenes(NamedTuple):
    left: Scene
    right: Scene
    statement: str
    is_true: bool


def state_presence(rng: np.random.Generator) -> StatedScenes:
    """`both images contain a small red circle`; beside it, each image holds an object of its own.

    Where the statement is false it names one of these, so that the images alone tell nothing.
    """
    shared = random_look(rng)
    own = [different_look(rng, shared, "color", "shape")]
    while len(own) < 2 or own[1].color is own[0].color or own[1].shape is own[0].shape:
        own[1:] = [different_look(rng, shared, "color", "shape")]
    true = bool(rng.integers(2))
    stated = shared if true else own[rng.integers(2)]
    scenes = [random_scene(rng, [shared, look]) for look in own]
    statement = f"both images contain a {stated.name}"
    return StatedScenes(scenes[0], scenes[1], statement, true)


def state_comparison(rng: np.random.Generator) -> StatedScenes:
    """`there are more squares in the left image than in the right image`; of another shape there are fewer.

    Both images hold as many objects: images alone tell nothing.
    """
    look = random_look(rng, size=Size.SMALL)
    other = different_look(rng, look, "shape", size=Size.SMALL)
    fewer, more = sorted(rng.choice(MAX_COUNT + 1, 2, replace=False).tolist())
    true = bool(rng.integers(2))
    left, right = (more, fewer) if true else (fewer, more)
    statement = f"there are more {look.shape.plural} in the left image than in the right image"
    scenes = [counted_scene(rng, {look.shape: count, other.shape: fewer + more - count}) for count in (left, right)]
    return StatedScenes(scenes[0], scenes[1], statement, true)


def counted_scene(rng: np.random.Generator, counts: Mapping[Shape, int]) -> Scene:
    """So many small objects of each shape, of any colour."""
    shapes = [shape for shape, count in counts.items() for _ in range(count)]
    return random_scene(rng, [random_look(rng, size=Size.SMALL)._replace(shape=shape) for shape in shapes])


KINDS = (state_presence, state_comparison)


class ShapesStatements(ShapesWorld, StatementReader):
    """One statement about two images per sample. Arguments as for `ShapesWorld`."""

    def sample(self, index: int) -> StatedScenes:
        """Scenes and statement of one sample."""
        rng = self.rng(index)
        return KINDS[rng.integers(len(KINDS))](rng)

    def statement(self, index: int) -> Statement:
        sample = self.sample(index)
        return Statement(sample.statement, sample.is_true, f"{self.split}-{index}")

    def load_images(self, index: int) -> tuple[Image.Image, Image.Image]:
        sample = self.sample(index)
        return sample.left.render(self.image_size), sample.right.render(self.image_size)

    def texts(self) -> Iterator[str]:
        yield from shapes_corpus()
