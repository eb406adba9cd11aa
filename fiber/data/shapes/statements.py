"""Statements about two images of shapes, half of them true."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from fiber.data.readers.task_readers import StatementReader
from fiber.data.records import Statement
from fiber.data.shapes.captioned_scene import MAX_COUNT
from fiber.data.shapes.questions import different_look
from fiber.data.shapes.scene import Look, Scene, Size, random_look, random_scene
from fiber.data.shapes.world import ShapesWorld


class StatedScenes(NamedTuple):
    left: Scene
    right: Scene
    statement: str
    is_true: bool


def state_presence(rng: np.random.Generator) -> StatedScenes:
    """`both images contain a red circle`; where it is false, one of them does."""
    look = random_look(rng)
    true = bool(rng.integers(2))
    without = rng.integers(2)
    scenes = []
    for side in (0, 1):
        other = different_look(rng, look, "color", "shape")
        near_miss = look._replace(color=other.color) if rng.integers(2) else look._replace(shape=other.shape)
        scenes.append(random_scene(rng, [near_miss if side == without and not true else look, other]))
    return StatedScenes(scenes[0], scenes[1], f"both images contain a {look.color.word} {look.shape}", true)


def state_comparison(rng: np.random.Generator) -> StatedScenes:
    """`there are more squares in the left image than in the right image`."""
    look = random_look(rng, size=Size.SMALL)
    fewer, more = sorted(rng.choice(MAX_COUNT + 1, 2, replace=False).tolist())
    true = bool(rng.integers(2))
    left, right = (more, fewer) if true else (fewer, more)
    statement = f"there are more {look.shape.plural} in the left image than in the right image"
    return StatedScenes(counted_scene(rng, look, left), counted_scene(rng, look, right), statement, true)


def counted_scene(rng: np.random.Generator, look: Look, count: int) -> Scene:
    """So many objects of a shape, of any colour, beside one of another shape."""
    shapes = [random_look(rng, size=Size.SMALL)._replace(shape=look.shape) for _ in range(count)]
    return random_scene(rng, [*shapes, different_look(rng, look, "shape", size=Size.SMALL)])


KINDS = (state_presence, state_comparison)


class ShapesStatements(ShapesWorld, StatementReader):
    """One statement about two images per sample. Arguments as for `ShapesWorld`."""

    def sample(self, index: int) -> StatedScenes:
        """Scenes and statement of one sample."""
        rng = self.rng(index)
        return KINDS[rng.integers(len(KINDS))](rng)

    def statement(self, index: int) -> Statement:
        sample = self.sample(index)
        return Statement(sample.statement, sample.is_true)

    def load_images(self, index: int) -> tuple[Image.Image, Image.Image]:
        sample = self.sample(index)
        return sample.left.render(self.image_size), sample.right.render(self.image_size)
