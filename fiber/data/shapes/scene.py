"""Scenes of coloured shapes: what is where, and how it looks.

Coordinates are continuous, in units of the image's side, origin at the top left, y downwards.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from fiber.data.records import Box

Point = tuple[float, float]
SUPERSAMPLING = 4
"""Drawn pixels per pixel and axis: smooth edges, and boxes true to a quarter of a pixel."""


class Color(Enum):
    """Colours far apart from each other and from the backgrounds; red, green and blue in 0..255."""

    RED = (214, 39, 40)
    GREEN = (44, 160, 44)
    BLUE = (31, 80, 200)
    YELLOW = (240, 205, 30)
    PURPLE = (140, 60, 190)
    ORANGE = (250, 130, 20)
    CYAN = (40, 200, 215)
    BLACK = (20, 20, 20)

    @property
    def word(self) -> str:
        return self.name.lower()


class Shape(StrEnum):
    CIRCLE = "circle"
    SQUARE = "square"
    TRIANGLE = "triangle"
    CROSS = "cross"

    @property
    def plural(self) -> str:
        return "crosses" if self is Shape.CROSS else f"{self}s"


class Size(Enum):
    """Half the side of a shape's box, in image sides."""

    SMALL = 0.09
    LARGE = 0.18

    @property
    def word(self) -> str:
        return self.name.lower()


class Relation(StrEnum):
    """Where one object lies from another."""

    LEFT_OF = "left of"
    RIGHT_OF = "right of"
    ABOVE = "above"
    BELOW = "below"

    @property
    def inverse(self) -> "Relation":
        pairs = {Relation.LEFT_OF: Relation.RIGHT_OF, Relation.ABOVE: Relation.BELOW}
        return pairs.get(self) or next(key for key, value in pairs.items() if value is self)


class Look(NamedTuple):
    """What a shape looks like."""

    color: Color
    shape: Shape
    size: Size

    @property
    def name(self) -> str:
        """Size, colour and shape: `small red circle`."""
        return f"{self.size.word} {self.color.word} {self.shape}"


@dataclass(frozen=True, slots=True)
class Object:
    """One shape in a scene."""

    look: Look
    x: float
    """Centre, in image sides."""
    y: float

    @property
    def box(self) -> Box:
        """xyxy in image sides."""
        half = self.look.size.value
        return self.x - half, self.y - half, self.x + half, self.y + half

    def pixel_box(self, image_size: int) -> Box:
        """xyxy in pixels."""
        left, top, right, bottom = (side * image_size for side in self.box)
        return left, top, right, bottom

    def outlines(self) -> Iterator[list[Point]]:
        """Polygons that fill the shape; a circle has none."""
        left, top, right, bottom = self.box
        if self.look.shape is Shape.SQUARE:
            yield [(left, top), (right, top), (right, bottom), (left, bottom)]
        if self.look.shape is Shape.TRIANGLE:
            yield [(self.x, top), (right, bottom), (left, bottom)]
        if self.look.shape is Shape.CROSS:
            arm = self.look.size.value * 0.4
            yield [(left, self.y - arm), (right, self.y - arm), (right, self.y + arm), (left, self.y + arm)]
            yield [(self.x - arm, top), (self.x + arm, top), (self.x + arm, bottom), (self.x - arm, bottom)]


@dataclass(frozen=True, slots=True)
class Scene:
    """Objects that do not touch, on a plain light background."""

    objects: tuple[Object, ...]
    background: int
    """Grey value, 0..255."""

    def render(self, image_size: int) -> Image.Image:
        """RGB picture of `image_size` pixels."""
        side = image_size * SUPERSAMPLING
        image = Image.new("RGB", (side, side), (self.background,) * 3)
        draw = ImageDraw.Draw(image)
        for item in self.objects:
            if item.look.shape is Shape.CIRCLE:
                draw.ellipse(to_pixels(item.box, side), fill=item.look.color.value)
            for outline in item.outlines():
                draw.polygon(to_pixels([c for point in outline for c in point], side), fill=item.look.color.value)
        return image.reduce(SUPERSAMPLING)


def to_pixels(coordinates: Sequence[float], side: int) -> list[float]:
    """Image sides to PIL's pixel centres."""
    return [value * side - 0.5 for value in coordinates]


def relation(first: Object, second: Object) -> Relation | None:
    """How `first` lies from `second`; None where the direction is not clear."""
    dx, dy = first.x - second.x, first.y - second.y
    if abs(dx) > 1.5 * abs(dy):
        return Relation.LEFT_OF if dx < 0 else Relation.RIGHT_OF
    if abs(dy) > 1.5 * abs(dx):
        return Relation.ABOVE if dy < 0 else Relation.BELOW
    return None


def random_look(rng: np.random.Generator, *, size: Size | None = None) -> Look:
    """A look with every attribute uniform; `size` fixes one."""
    drawn = list(Size)[rng.integers(len(Size))]
    color, shape = list(Color)[rng.integers(len(Color))], list(Shape)[rng.integers(len(Shape))]
    return Look(color, shape, size or drawn)


def random_object(rng: np.random.Generator, look: Look) -> Object:
    """An object somewhere inside the image."""
    margin = look.size.value + 0.01
    x, y = rng.uniform(margin, 1 - margin, 2).tolist()
    return Object(look, x, y)


def apart(first: Object, second: Object) -> bool:
    """Whether the boxes leave a gap between them."""
    gap = first.look.size.value + second.look.size.value + 0.03
    return max(abs(first.x - second.x), abs(first.y - second.y)) > gap


def random_scene(rng: np.random.Generator, looks: Sequence[Look]) -> Scene:
    """Objects of the given looks, in that order, placed where there is room: up to four of any size, or eight small."""
    objects: list[Object] = []
    attempts = 0
    while len(objects) < len(looks):
        candidate = random_object(rng, looks[len(objects)])
        if all(apart(candidate, other) for other in objects):
            objects.append(candidate)
        attempts += 1
        if attempts % 100 == 0:  # no room left: start again
            objects.clear()
    return Scene(tuple(objects), background=int(rng.integers(225, 256)))
