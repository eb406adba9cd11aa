"""Many classes of coloured shapes, some of them rare, of which every image was checked for a few: LVIS in miniature."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from fiber.data.readers.task_readers import FederatedReader
from fiber.data.records import LabeledBox
from fiber.data.shapes.detection import MAX_OBJECTS, ShapesDetection
from fiber.data.shapes.scene import Color, Look, Scene, Shape, Size, random_scene


class Frequency(StrEnum):
    """How common a class is, by LVIS's letters."""

    FREQUENT = "f"
    COMMON = "c"
    RARE = "r"


class ColoredShape(NamedTuple):
    """A class."""

    color: Color
    shape: Shape

    @property
    def name(self) -> str:
        return f"{self.color.word} {self.shape}"

    @property
    def frequency(self) -> Frequency:
        """Every colour and every shape has classes of all three."""
        return list(Frequency)[(list(Color).index(self.color) + list(Shape).index(self.shape)) % len(Frequency)]


CLASSES = tuple(ColoredShape(color, shape) for color in Color for shape in Shape)
WEIGHTS: Mapping[Frequency, float] = {Frequency.FREQUENT: 16, Frequency.COMMON: 4, Frequency.RARE: 1}
"""How often classes are drawn, relative to each other."""
PROBABILITIES = np.array([WEIGHTS[one.frequency] for one in CLASSES]) / sum(WEIGHTS[one.frequency] for one in CLASSES)
MAX_CLASSES = 3
"""Classes in an image, each with one or two objects."""
NEGATIVES = (4, 8)
"""Fewest and most absent classes that an image was checked for."""
UNCHECKED_SHARE = 0.1
"""Of classes in an image: not checked for, so that their objects have no boxes."""
NOT_EXHAUSTIVE_SHARE = 0.3
"""Of classes with two objects: only the first has a box."""


class FederatedScene(NamedTuple):
    """A scene and what is annotated of it; classes are places in `CLASSES`."""

    scene: Scene
    classes: tuple[int, ...]
    """Of every object."""
    boxed: tuple[int, ...]
    """Places of the objects that have a box."""
    negative_classes: tuple[int, ...]
    not_exhaustive_classes: tuple[int, ...]


def federated_scene(rng: np.random.Generator) -> FederatedScene:
    """One to four objects of one to three classes, annotated in part."""
    drawn = rng.choice(len(CLASSES), rng.integers(1, MAX_CLASSES + 1), replace=False, p=PROBABILITIES).tolist()
    classes = [one for one in drawn for _ in range(rng.integers(1, 3))][:MAX_OBJECTS]
    sizes = [list(Size)[place] for place in rng.integers(len(Size), size=len(classes))]
    looks = [Look(CLASSES[one].color, CLASSES[one].shape, size) for one, size in zip(classes, sizes, strict=True)]
    scene = random_scene(rng, looks)
    present = sorted(set(classes))
    boxed: list[int] = []
    not_exhaustive = []
    for one in present:
        places = [place for place, class_index in enumerate(classes) if class_index == one]
        if rng.random() < UNCHECKED_SHARE:
            continue
        if len(places) > 1 and rng.random() < NOT_EXHAUSTIVE_SHARE:
            not_exhaustive.append(one)
            places = places[:1]
        boxed += places
    absent = [one for one in range(len(CLASSES)) if one not in present]
    negatives = rng.choice(absent, rng.integers(NEGATIVES[0], NEGATIVES[1] + 1), replace=False).tolist()
    return FederatedScene(scene, tuple(classes), tuple(sorted(boxed)), tuple(sorted(negatives)), tuple(not_exhaustive))


class ShapesFederated(ShapesDetection, FederatedReader):
    """One to four objects of 32 classes such as `red circle`. Arguments and errors as for `ShapesDetection`."""

    classes = tuple(one.name for one in CLASSES)
    category_ids = tuple(3 * place + 2 for place in range(len(CLASSES)))
    """With gaps, as numbers of published data sets often have."""
    frequencies = tuple(str(one.frequency) for one in CLASSES)

    def sample(self, index: int) -> FederatedScene:
        """Scene and annotation of one image."""
        return federated_scene(self.rng(index))

    def scene(self, index: int) -> Scene:
        return self.sample(index).scene

    def objects(self, index: int) -> Sequence[LabeledBox]:
        sample, boxes = self.sample(index), self.boxes(index)
        return [LabeledBox(boxes[place], sample.classes[place]) for place in sample.boxed]

    def negative_classes(self, index: int) -> Sequence[int]:
        return self.sample(index).negative_classes

    def not_exhaustive_classes(self, index: int) -> Sequence[int]:
        return self.sample(index).not_exhaustive_classes
