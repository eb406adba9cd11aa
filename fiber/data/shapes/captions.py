"""Captions of shapes that name colour, size, shape, count and place."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiber.data.readers.base import CaptionReader
from fiber.data.shapes.corpus import COUNT_WORDS, shapes_corpus
from fiber.data.shapes.scene import Look, Scene, Size, random_look, random_scene, relation
from fiber.data.shapes.world import ShapesWorld, Split
from fiber.utils.errors import UserError

MAX_COUNT = len(COUNT_WORDS) - 1
COUNT_SHARE = 0.2
"""Of scenes that are counted; the others hold two objects, one placed by the other."""
MAX_ATTEMPTS = 100


class CaptionedScene(NamedTuple):
    scene: Scene
    caption: str


def relation_scene(rng: np.random.Generator) -> CaptionedScene:
    """Two different objects: `a small red circle is left of a large blue square`."""
    while True:
        looks = random_look(rng), random_look(rng)
        scene = random_scene(rng, looks)
        place = relation(*scene.objects)
        if place is not None and looks[0] != looks[1]:
            return CaptionedScene(scene, f"a {looks[0].name} is {place} a {looks[1].name}")


def count_scene(rng: np.random.Generator) -> CaptionedScene:
    """Two groups of equal small objects: `there are two red circles and one blue square`."""
    first = second = random_look(rng, size=Size.SMALL)
    while second == first:
        second = random_look(rng, size=Size.SMALL)
    counts = rng.integers(1, MAX_COUNT + 1, 2).tolist()
    scene = random_scene(rng, [first] * counts[0] + [second] * counts[1])
    verb = "is" if counts[0] == 1 else "are"
    return CaptionedScene(scene, f"there {verb} {counted(first, counts[0])} and {counted(second, counts[1])}")


def counted(look: Look, count: int) -> str:
    """`two red circles`."""
    return f"{COUNT_WORDS[count]} {look.color.word} {look.shape if count == 1 else look.shape.plural}"


def captioned_scene(rng: np.random.Generator) -> CaptionedScene:
    """A scene with a caption that is true of it."""
    return count_scene(rng) if rng.random() < COUNT_SHARE else relation_scene(rng)


class ShapesCaptions(CaptionReader):
    """Images of shapes with one caption each, drawn when asked for.

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
        self.name = f"shapes {split}"
        self.world = ShapesWorld(split=Split(split), num_samples=num_samples, image_size=image_size, seed=seed)
        self.attempts = None if self.world.split is Split.TRAIN else self.find_new_captions()

    def find_new_captions(self) -> list[int]:
        """For every sample, the first attempt whose caption no earlier sample has."""
        seen: set[str] = set()
        attempts = []
        for index in range(self.world.num_samples):
            for attempt in range(MAX_ATTEMPTS):
                caption = captioned_scene(self.world.rng(index, attempt)).caption
                if caption not in seen:
                    break
            else:
                raise UserError(f"{self.name}: num_samples={self.world.num_samples} is more than there are captions.")
            seen.add(caption)
            attempts.append(attempt)
        return attempts

    def sample(self, index: int) -> CaptionedScene:
        """Scene and caption of one image."""
        attempt = 0 if self.attempts is None else self.attempts[index]
        return captioned_scene(self.world.rng(index, attempt))

    def __len__(self) -> int:
        return self.world.num_samples

    def captions(self, index: int) -> Sequence[str]:
        return (self.sample(index).caption,)

    def caption_counts(self) -> NDArray[np.int64]:
        return np.ones(len(self), dtype=np.int64)

    def texts(self) -> Iterator[str]:
        yield from shapes_corpus()

    def image_id(self, index: int) -> str:
        return str(index)

    def location(self, index: int) -> str:
        return self.world.location(index)

    def load_image(self, index: int) -> Image.Image:
        return self.sample(index).scene.render(self.world.image_size)
