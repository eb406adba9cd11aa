"""Expressions that refer to one object of a scene.

An expression is kept in structured form, from which both its words and what it is true of follow.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from fiber.data.records import Span
from fiber.data.shapes.description import Description, descriptions
from fiber.data.shapes.scene import Object, Relation, Size, relation

CLEAR = 0.06
"""How much farther out than all others an object must be to be the leftmost, in image sides."""


class Extreme(Enum):
    """A place among several objects: by which coordinate, and its sign outwards."""

    LEFTMOST = (-1, 0)
    RIGHTMOST = (1, 0)
    TOPMOST = (0, -1)
    BOTTOMMOST = (0, 1)

    @property
    def word(self) -> str:
        return self.name.lower()

    def distance(self, item: Object) -> float:
        """How far out an object is, in image sides."""
        x, y = self.value
        return x * item.x + y * item.y


class Comparison(StrEnum):
    """One of two objects by their sizes."""

    LARGER = "larger"
    SMALLER = "smaller"

    @property
    def size(self) -> Size:
        return Size.LARGE if self is Comparison.LARGER else Size.SMALL


@dataclass(frozen=True, slots=True)
class Expression(ABC):
    """An expression of any kind."""

    described: Description
    """What the noun phrase says of the look."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The whole expression."""

    @property
    def span(self) -> Span:
        """Characters of the noun phrase at its root with article and adjectives, as RefCOCO's are annotated."""
        return 0, len(self.text)

    @abstractmethod
    def referents(self, objects: Sequence[Object]) -> list[int]:
        """Places of all objects that it may be taken for."""

    def described_objects(self, objects: Sequence[Object]) -> list[int]:
        """Places of all objects that look as described."""
        return [place for place, item in enumerate(objects) if self.described.holds(item.look)]


@dataclass(frozen=True, slots=True)
class ByAttributes(Expression):
    """`the small red circle`."""

    @property
    def text(self) -> str:
        return f"the {self.described.name}"

    def referents(self, objects: Sequence[Object]) -> list[int]:
        return self.described_objects(objects)


@dataclass(frozen=True, slots=True)
class ByPlace(Expression):
    """`the leftmost circle`."""

    extreme: Extreme

    @property
    def text(self) -> str:
        return f"the {self.extreme.word} {self.described.name}"

    def referents(self, objects: Sequence[Object]) -> list[int]:
        """Of the objects that look so, the one farthest out and all that are hardly less far."""
        places = self.described_objects(objects)
        farthest = max(self.extreme.distance(objects[place]) for place in places)
        return [place for place in places if self.extreme.distance(objects[place]) > farthest - CLEAR]


@dataclass(frozen=True, slots=True)
class ByRelation(Expression):
    """`the circle left of the blue square`; the noun phrase is `the circle`."""

    relation: Relation
    anchor: Description

    @property
    def text(self) -> str:
        return f"the {self.described.name} {self.relation} the {self.anchor.name}"

    @property
    def span(self) -> Span:
        return 0, len(f"the {self.described.name}")

    def referents(self, objects: Sequence[Object]) -> list[int]:
        """The objects that look so and may lie to that side of an anchor."""
        anchors = [item for item in objects if self.anchor.holds(item.look)]
        return [
            place
            for place in self.described_objects(objects)
            if any(may_lie(objects[place], self.relation, anchor) for anchor in anchors)
        ]


@dataclass(frozen=True, slots=True)
class BySize(Expression):
    """`the larger square`."""

    comparison: Comparison

    @property
    def text(self) -> str:
        return f"the {self.comparison} {self.described.name}"

    def referents(self, objects: Sequence[Object]) -> list[int]:
        places = self.described_objects(objects)
        return [place for place in places if objects[place].look.size is self.comparison.size]


def may_lie(item: Object, side: Relation, anchor: Object) -> bool:
    """Whether an object lies to one side of another, or slantwise so that a person may say it does."""
    clear = relation(item, anchor)
    if clear is not None:
        return clear is side
    return {
        Relation.LEFT_OF: item.x < anchor.x,
        Relation.RIGHT_OF: item.x > anchor.x,
        Relation.ABOVE: item.y < anchor.y,
        Relation.BELOW: item.y > anchor.y,
    }[side]


def by_attributes(objects: Sequence[Object], target: int) -> Iterator[ByAttributes]:
    """Descriptions that are true of the target alone, and of others too without any one of their adjectives."""
    for described in descriptions(objects[target].look):
        shorter = described.shorter()
        if shorter and matching(objects, described) == 1 < min(matching(objects, one) for one in shorter):
            yield ByAttributes(described)


def by_place(objects: Sequence[Object], target: int) -> Iterator[ByPlace]:
    """Places of the target among the objects that are described alike."""
    for described in descriptions(objects[target].look):
        expressions = [ByPlace(described, extreme) for extreme in Extreme if matching(objects, described) > 1]
        yield from (one for one in expressions if one.referents(objects) == [target])


def by_relation(objects: Sequence[Object], target: int) -> Iterator[ByRelation]:
    """Places of the target seen from another object; a third one looks as described and lies elsewhere."""
    for place, anchor in enumerate(objects):
        side = relation(objects[target], anchor) if place != target else None
        unique = (one for one in descriptions(anchor.look) if matching(objects, one) == 1)
        named = next(unique, None)
        if side is None or named is None:
            continue
        for described in descriptions(objects[target].look):
            expression = ByRelation(described, side, named)
            others = matching(objects, described) - described.holds(anchor.look) - 1
            if others > 0 and expression.referents(objects) == [target]:
                yield expression


def by_size(objects: Sequence[Object], target: int) -> Iterator[BySize]:
    """Comparisons of the target with the one other object that shares its shape, or shape and colour."""
    size = objects[target].look.size
    comparison = next(one for one in Comparison if one.size is size)
    for described in descriptions(objects[target].look):
        expression = BySize(described, comparison)
        compared = described.size is None and matching(objects, described) == 2
        if compared and expression.referents(objects) == [target]:
            yield expression


def matching(objects: Sequence[Object], described: Description) -> int:
    """Number of objects that look as described."""
    return sum(described.holds(item.look) for item in objects)
