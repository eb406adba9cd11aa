"""Scenes with a caption that is true of them and names colour, size, shape, count and place."""

from typing import NamedTuple

import numpy as np

from fiber.data.records import Span
from fiber.data.shapes.corpus import COUNT_WORDS
from fiber.data.shapes.scene import Look, Scene, Size, random_look, random_scene, relation

MAX_COUNT = len(COUNT_WORDS) - 1
COUNT_SHARE = 0.2
"""Of scenes that are counted; the others hold two objects, one placed by the other."""


class NamedObjects(NamedTuple):
    """A phrase of a caption and what it names."""

    span: Span
    objects: tuple[int, ...]
    """Places in the scene."""


class CaptionedScene(NamedTuple):
    scene: Scene
    caption: str
    phrases: tuple[NamedObjects, NamedObjects]


def captioned_scene(rng: np.random.Generator) -> CaptionedScene:
    """A random scene of either kind."""
    return count_scene(rng) if rng.random() < COUNT_SHARE else relation_scene(rng)


def relation_scene(rng: np.random.Generator) -> CaptionedScene:
    """Two different objects: `a small red circle is left of a large blue square`."""
    while True:
        looks = random_look(rng), random_look(rng)
        scene = random_scene(rng, looks)
        place = relation(*scene.objects)
        if place is not None and looks[0] != looks[1]:
            return describe(scene, "", f"a {looks[0].name}", f" is {place} ", f"a {looks[1].name}", split=1)


def count_scene(rng: np.random.Generator) -> CaptionedScene:
    """Two groups of equal small objects: `there are two red circles and one blue square`."""
    first = second = random_look(rng, size=Size.SMALL)
    while second == first:
        second = random_look(rng, size=Size.SMALL)
    counts = rng.integers(1, MAX_COUNT + 1, 2).tolist()
    scene = random_scene(rng, [first] * counts[0] + [second] * counts[1])
    opening = "there is " if counts[0] == 1 else "there are "
    return describe(scene, opening, counted(first, counts[0]), " and ", counted(second, counts[1]), split=counts[0])


def counted(look: Look, count: int) -> str:
    """`two red circles`."""
    return f"{COUNT_WORDS[count]} {look.color.word} {look.shape if count == 1 else look.shape.plural}"


def describe(scene: Scene, opening: str, first: str, link: str, second: str, *, split: int) -> CaptionedScene:
    """A caption of two phrases; the first names the objects before `split`, the second the others."""
    caption = opening + first + link + second
    objects = tuple(range(len(scene.objects)))
    return CaptionedScene(
        scene,
        caption,
        (
            NamedObjects((len(opening), len(opening + first)), objects[:split]),
            NamedObjects((len(caption) - len(second), len(caption)), objects[split:]),
        ),
    )
