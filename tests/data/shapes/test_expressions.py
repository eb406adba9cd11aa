"""Expressions in structured form: their words, and what they are true of."""

import pytest

from fiber.data.shapes.description import Description, descriptions
from fiber.data.shapes.expressions import (
    ByAttributes,
    ByPlace,
    ByRelation,
    BySize,
    Comparison,
    Expression,
    Extreme,
    by_attributes,
    by_place,
    by_relation,
    by_size,
)
from fiber.data.shapes.scene import Color, Look, Object, Relation, Shape, Size

SMALL_RED_CIRCLE = Look(Color.RED, Shape.CIRCLE, Size.SMALL)
LARGE_RED_CIRCLE = SMALL_RED_CIRCLE._replace(size=Size.LARGE)
SMALL_BLUE_CIRCLE = SMALL_RED_CIRCLE._replace(color=Color.BLUE)
BLUE_SQUARE = Look(Color.BLUE, Shape.SQUARE, Size.SMALL)
SCENE = (
    Object(SMALL_RED_CIRCLE, 0.2, 0.5),
    Object(LARGE_RED_CIRCLE, 0.7, 0.75),
    Object(SMALL_BLUE_CIRCLE, 0.45, 0.1),
    Object(BLUE_SQUARE, 0.45, 0.45),
)
CIRCLE = Description(Shape.CIRCLE)
SQUARE = Description(Shape.SQUARE)


@pytest.mark.parametrize(
    ("expression", "text", "phrase", "referents"),
    [
        (ByAttributes(descriptions(SMALL_RED_CIRCLE)[-1]), "the small red circle", "the small red circle", [0]),
        (ByAttributes(Description(Shape.CIRCLE, Color.RED)), "the red circle", "the red circle", [0, 1]),
        (ByPlace(CIRCLE, Extreme.LEFTMOST), "the leftmost circle", "the leftmost circle", [0]),
        (ByPlace(CIRCLE, Extreme.RIGHTMOST), "the rightmost circle", "the rightmost circle", [1]),
        (ByPlace(CIRCLE, Extreme.TOPMOST), "the topmost circle", "the topmost circle", [2]),
        (ByPlace(CIRCLE, Extreme.BOTTOMMOST), "the bottommost circle", "the bottommost circle", [1]),
        (ByRelation(CIRCLE, Relation.LEFT_OF, SQUARE), "the circle left of the square", "the circle", [0]),
        (ByRelation(CIRCLE, Relation.ABOVE, SQUARE), "the circle above the square", "the circle", [2]),
        (ByRelation(CIRCLE, Relation.BELOW, SQUARE), "the circle below the square", "the circle", [1]),  # slantwise
        (
            BySize(Description(Shape.CIRCLE, Color.RED), Comparison.LARGER),
            "the larger red circle",
            "the larger red circle",
            [1],
        ),
        (BySize(CIRCLE, Comparison.SMALLER), "the smaller circle", "the smaller circle", [0, 2]),
    ],
)
def test_words_phrase_and_meaning_follow_from_the_form(
    expression: Expression, text: str, phrase: str, referents: list[int]
) -> None:
    assert expression.text == text
    assert expression.text[slice(*expression.span)] == phrase
    assert expression.referents(SCENE) == referents


def test_what_is_hardly_less_far_out_may_be_taken_for_the_leftmost() -> None:
    close = (*SCENE, Object(SMALL_BLUE_CIRCLE, 0.25, 0.9))
    assert ByPlace(CIRCLE, Extreme.LEFTMOST).referents(close) == [0, 4]


def test_no_adjective_is_idle() -> None:
    assert [one.text for one in by_attributes(SCENE, 0)] == ["the small red circle"]
    assert [one.text for one in by_attributes(SCENE, 1)] == ["the large circle"]
    assert [one.text for one in by_attributes(SCENE, 2)] == ["the blue circle"]
    assert list(by_attributes(SCENE, 3)) == []  # "the square" says enough


def test_places_are_among_objects_that_are_described_alike() -> None:
    assert [one.text for one in by_place(SCENE, 0)] == [
        "the leftmost circle",
        "the leftmost red circle",
        "the topmost red circle",
        "the leftmost small circle",
        "the bottommost small circle",
    ]
    assert list(by_place(SCENE, 3)) == []


def test_relations_leave_another_object_that_looks_so_elsewhere() -> None:
    assert "the circle left of the square" in [one.text for one in by_relation(SCENE, 0)]
    assert all(one.text != "the small red circle left of the square" for one in by_relation(SCENE, 0))
    assert list(by_relation(SCENE, 3)) == []


def test_sizes_are_compared_in_pairs() -> None:
    assert [one.text for one in by_size(SCENE, 0)] == ["the smaller red circle"]
    assert [one.text for one in by_size(SCENE, 1)] == ["the larger red circle"]
    assert list(by_size(SCENE, 2)) == []
