"""Images of shapes with an expression that refers to one of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.task_readers import ReferringReader
from fiber.data.records import GroundedCaption, Phrase
from fiber.data.shapes.corpus import shapes_corpus
from fiber.data.shapes.expressions import Expression, by_attributes, by_place, by_relation, by_size
from fiber.data.shapes.scene import Color, Look, Object, Scene, Shape, Size, random_scene
from fiber.data.shapes.world import ShapesImages
from fiber.utils.errors import UserError

MAX_LARGE = 2
"""Large objects that leave room for three small ones."""


class Kind(StrEnum):
    """What tells the object from the others."""

    ATTRIBUTES = "attributes"
    PLACE = "place"
    RELATION = "relation"
    SIZE = "size"


EXPRESSIONS: Mapping[Kind, Callable[[Sequence[Object], int], Iterator[Expression]]] = {
    Kind.ATTRIBUTES: by_attributes,
    Kind.PLACE: by_place,
    Kind.RELATION: by_relation,
    Kind.SIZE: by_size,
}
NUM_OBJECTS: Mapping[Kind, Sequence[int]] = {kind: (3, 4, 5) if kind is not Kind.SIZE else (4,) for kind in Kind}
"""Sizes are compared in pairs."""
DATASETS: Mapping[str, Sequence[Kind]] = {
    "refcoco": tuple(Kind),
    "refcoco+": (Kind.ATTRIBUTES, Kind.SIZE),
    "refcocog": (Kind.ATTRIBUTES, Kind.RELATION, Kind.SIZE),
}
"""As in the benchmarks, RefCOCO+ says nothing of places, and RefCOCOg names objects rather than sides of the image."""


class ReferredScene(NamedTuple):
    scene: Scene
    expression: Expression
    target: int
    """Place in the scene."""
    kind: Kind


def referred_scene(rng: np.random.Generator, kind: Kind) -> ReferredScene:
    """A scene and an expression of one kind.

    Each of the scene's objects could be referred to in this way, and the target is any of them: the image alone tells
    nothing of it.
    """
    find = EXPRESSIONS[kind]
    num_objects = int(rng.choice(NUM_OBJECTS[kind]))
    while True:
        scene = random_scene(rng, similar_looks(rng, num_objects))
        if all(any(find(scene.objects, place)) for place in range(num_objects)):
            break
    target = int(rng.integers(num_objects))
    expressions = list(find(scene.objects, target))
    return ReferredScene(scene, expressions[rng.integers(len(expressions))], target, kind)


def similar_looks(rng: np.random.Generator, number: int) -> list[Look]:
    """Looks of two colours and two shapes, so that most attributes are shared."""
    colors = [list(Color)[place] for place in rng.choice(len(Color), 2, replace=False)]
    shapes = [list(Shape)[place] for place in rng.choice(len(Shape), 2, replace=False)]
    while True:
        picks = rng.integers(2, size=(number, 3)).tolist()
        looks = [Look(colors[color], shapes[shape], list(Size)[size]) for color, shape, size in picks]
        if sum(look.size is Size.LARGE for look in looks) <= MAX_LARGE:
            return looks


class ShapesReferring(ShapesImages, ReferringReader):
    """Three to five objects per image and an expression that is true of one.

    The phrase is the noun phrase at the expression's root, as in RefCOCO's annotations: all of `the leftmost circle`,
    but only `the circle` of `the circle left of the blue square`.

    Args:
        split: `train`, `val`, `test`, `testA` or `testB`.
        num_samples: images.
        image_size: side in pixels.
        seed: of the world; splits of one seed share no scene.
        dataset: benchmark that this is a miniature of: `refcoco`, `refcoco+` or `refcocog`.

    Raises:
        UserError: an unknown benchmark.
    """

    def __init__(
        self, split: str, *, num_samples: int, image_size: int, seed: int = 0, dataset: str = "refcoco"
    ) -> None:
        super().__init__(split, num_samples=num_samples, image_size=image_size, seed=seed)
        if dataset not in DATASETS:
            raise UserError(f"{self.name}: dataset={dataset}: give one of {', '.join(DATASETS)}.")
        self.dataset = dataset

    def sample(self, index: int) -> ReferredScene:
        """Scene, expression and target of one image."""
        rng = self.rng(index)
        kinds = DATASETS[self.dataset]
        return referred_scene(rng, kinds[int(rng.integers(len(kinds)))])

    def scene(self, index: int) -> Scene:
        return self.sample(index).scene

    def grounded_caption(self, index: int) -> GroundedCaption:
        sample = self.sample(index)
        box = sample.scene.objects[sample.target].pixel_box(self.image_size)
        return GroundedCaption(sample.expression.text, (Phrase((sample.expression.span,), (box,)),))

    def sizes(self) -> NDArray[np.int64]:
        return np.full((len(self), 2), self.image_size, dtype=np.int64)

    def texts(self) -> Iterator[str]:
        yield from shapes_corpus()
