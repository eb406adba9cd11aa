"""Annotated boxes, clipped or left out."""

import pytest

from fiber.data.box_cleaning import clean_boxes
from fiber.data.defects import DefectKind
from fiber.data.records import Box

SIZE = (100, 80)
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("box", "clean"),
    [
        ((10, 20, 60, 70), (10, 20, 60, 70)),
        ((0, 0, 100, 80), (0, 0, 100, 80)),
        ((-5, 20, 160, 90), (0, 20, 100, 80)),  # the original's (0, 20, 99, 79), which names the last pixels
        ((60, 60, 120, 120), (60, 60, 100, 80)),
        ((98.5, 10, 130, 20), (98.5, 10, 100, 20)),
    ],
)
def test_boxes_across_the_border_are_clipped_without_a_word(box: Box, clean: Box) -> None:
    assert clean_boxes([box], SIZE) == ((0,), (clean,), ())


@pytest.mark.parametrize(
    ("box", "defect"),
    [
        ((100, 0, 120, 50), DefectKind.BOX_OUTSIDE),
        ((-30, 10, 0, 20), DefectKind.BOX_OUTSIDE),
        ((10, 80, 20, 95), DefectKind.BOX_OUTSIDE),
        ((10, -9, 20, 1), DefectKind.BOX_OUTSIDE),  # a row of pixels is left
        ((99, 0, 120, 50), DefectKind.BOX_OUTSIDE),  # a column
        ((10, 10, 10, 40), DefectKind.BOX_EMPTY),
        ((10, 40, 50, 40), DefectKind.BOX_EMPTY),
        ((10, 10, 11, 40), DefectKind.BOX_EMPTY),  # one pixel wide: no area by the original's count
        ((60, 10, 20, 40), DefectKind.BOX_EMPTY),  # right before left
        ((10, 20, NAN, 40), DefectKind.BOX_NOT_FINITE),
        ((-INF, 20, 30, 40), DefectKind.BOX_NOT_FINITE),
        ((10, 20, 30, INF), DefectKind.BOX_NOT_FINITE),
    ],
)
def test_what_cannot_be_trained_on_is_left_out_and_named(box: Box, defect: DefectKind) -> None:
    good = (10.0, 20.0, 60.0, 70.0)
    assert clean_boxes([box, good], SIZE) == ((1,), (good,), (defect,))
