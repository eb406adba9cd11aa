"""Scenes drawn by hand: outlines in crayon on grey, uneven paper, coloured in faintly.

Coordinates are in units of the image's side, origin at the top left, y downwards. Axes: N points, H W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fiber.data.records import Box
from fiber.data.shapes.scene import SUPERSAMPLING, Object, Scene, Shape, to_pixels

Floats = NDArray[np.float64]
MAX_ANGLE = 15.0
"""Degrees that a shape is turned by, either way."""
MAX_STRETCH = 0.15
"""Share by which a shape is wider or higher than it should be."""
MAX_WOBBLE = 0.05
"""How far a line strays, in halves of the shape's side."""
LINE_WIDTHS = (0.014, 0.034)
"""In image sides."""
OPACITIES = (0.1, 0.6)
"""Of the colour within an outline."""
PAPERS = (140, 200)
"""Grey values of the background."""
DULL = 120.0
"""Grey value that colours are mixed with."""
DULL_SHARE = 0.35
SHADING = 14.0
"""Of the background from place to place, in grey values, as the following."""
GRAIN = 9.0
"""Of single pixels."""
POINTS_PER_OUTLINE = 240
CIRCLE_POINTS = 48


@dataclass(frozen=True, slots=True)
class Stroke:
    """A closed line of one width."""

    points: tuple[tuple[float, float], ...]
    """So close to each other that round dots on them make a line."""
    width: float
    color: tuple[float, float, float]
    """Red, green and blue in 0..255."""
    opacity: float
    """Of the colour within."""

    @property
    def box(self) -> Box:
        """xyxy of the drawn line."""
        x, y = zip(*self.points, strict=True)
        half = self.width / 2
        return min(x) - half, min(y) - half, max(x) + half, max(y) + half


@dataclass(frozen=True, slots=True)
class Sketch:
    """One stroke per object of a scene."""

    strokes: tuple[Stroke, ...]
    background: float
    """Grey value, 0..255."""
    noise_seed: int

    def pixel_boxes(self, image_size: int) -> list[Box]:
        """xyxy of every stroke in pixels."""
        boxes = []
        for left, top, right, bottom in (stroke.box for stroke in self.strokes):
            boxes.append((left * image_size, top * image_size, right * image_size, bottom * image_size))
        return boxes

    def render(self, image_size: int) -> Image.Image:
        """RGB picture of `image_size` pixels."""
        rng = np.random.default_rng(self.noise_seed)
        pixels = self.background + SHADING * shading(rng, image_size)[..., None] * np.ones(3)
        for stroke in self.strokes:
            covered = coverage(stroke, image_size)[..., None]
            pixels += (np.array(stroke.color) - pixels) * covered
        pixels += rng.normal(0, GRAIN, (image_size, image_size, 1))
        return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def sketch(scene: Scene, rng: np.random.Generator) -> Sketch:
    """Draw a scene by hand; every stroke stays within its object's box."""
    strokes = tuple(stroke(item, rng) for item in scene.objects)
    return Sketch(strokes, float(rng.uniform(*PAPERS)), int(rng.integers(2**32)))


def stroke(item: Object, rng: np.random.Generator) -> Stroke:
    """Outline of one object, turned, stretched and shaky, in a dull shade of its colour."""
    width = float(rng.uniform(*LINE_WIDTHS))
    points = distorted(resampled(corners(item.look.shape), POINTS_PER_OUTLINE), rng)
    lower, upper = points.min(axis=0), points.max(axis=0)
    half = item.look.size.value - width / 2
    points = (points - (lower + upper) / 2) * (2 * half / (upper - lower).max()) + (item.x, item.y)
    color = (1 - DULL_SHARE) * np.array(item.look.color.value) + DULL_SHARE * DULL
    red, green, blue = color.tolist()
    return Stroke(tuple((x, y) for x, y in points.tolist()), width, (red, green, blue), float(rng.uniform(*OPACITIES)))


def corners(shape: Shape) -> Floats:
    """One polygon around a shape whose box reaches from -1 to 1."""
    if shape is Shape.CIRCLE:
        angles = np.linspace(0, 2 * np.pi, CIRCLE_POINTS, endpoint=False)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.array(POLYGONS[shape], dtype=np.float64)


ARM = 0.4
"""Half the width of a cross's arms, as in `Object.outlines`."""
QUARTER = ((-ARM, -1), (ARM, -1), (ARM, -ARM))
"""Corners of the cross between two arms; the others follow by turning."""
POLYGONS: dict[Shape, Sequence[tuple[float, float]]] = {
    Shape.SQUARE: ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    Shape.TRIANGLE: ((0, -1), (1, 1), (-1, 1)),
    Shape.CROSS: (
        *QUARTER,
        *((-y, x) for x, y in QUARTER),
        *((-x, -y) for x, y in QUARTER),
        *((y, -x) for x, y in QUARTER),
    ),
}


def resampled(polygon: Floats, number: int) -> Floats:
    """Points at equal distances along a closed polygon, N 2."""
    closed = np.concatenate([polygon, polygon[:1]])
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    along = np.linspace(0, lengths[-1], number, endpoint=False)
    return np.stack([np.interp(along, lengths, closed[:, axis]) for axis in (0, 1)], axis=1)


def distorted(points: Floats, rng: np.random.Generator) -> Floats:
    """Stretched, shaky and turned points, N 2."""
    phase = np.linspace(0, 2 * np.pi, len(points), endpoint=False)
    wobble = np.zeros_like(points)
    for waves in (2, 3, 5):
        for axis in (0, 1):
            wobble[:, axis] += rng.uniform(-1, 1) / waves * np.sin(waves * phase + rng.uniform(0, 2 * np.pi))
    shaky = points * (1 + rng.uniform(-MAX_STRETCH, MAX_STRETCH, 2)) + MAX_WOBBLE * wobble
    angle = np.deg2rad(rng.uniform(-MAX_ANGLE, MAX_ANGLE))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned: Floats = shaky @ turn
    return turned


def coverage(stroke: Stroke, image_size: int) -> Floats:
    """How much of every pixel a stroke and the colour within hide, H W in 0..1."""
    side = image_size * SUPERSAMPLING
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    draw.polygon(
        to_pixels([value for point in stroke.points for value in point], side), fill=round(255 * stroke.opacity)
    )
    radius = stroke.width / 2
    for x, y in stroke.points:
        draw.ellipse(to_pixels((x - radius, y - radius, x + radius, y + radius), side), fill=255)
    return np.asarray(mask.reduce(SUPERSAMPLING), dtype=np.float64) / 255


def shading(rng: np.random.Generator, image_size: int) -> Floats:
    """Soft random patches of unit strength, H W."""
    patches = Image.fromarray(rng.normal(0, 1, (6, 6)).astype(np.float32))
    return np.asarray(patches.resize((image_size, image_size), Image.Resampling.BICUBIC), dtype=np.float64)
