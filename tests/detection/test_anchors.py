"""Anchors against the original's boxes, which hold their last pixel."""

import pytest
import torch

from fiber.detection.anchors import box_centres, make_anchors
from fiber.detection.inclusive_pixels import last_pixels

STRIDES = (8, 16, 32, 64, 128)


def test_first_anchors_of_the_levels_are_the_original_base_boxes() -> None:
    anchors = make_anchors([(1, 1)] * 5, STRIDES, scale=8.0)
    expected = [[-28, -28, 35, 35], [-56, -56, 71, 71], [-112, -112, 143, 143], [-224, -224, 287, 287]]
    assert last_pixels(anchors).tolist() == [*expected, [-448, -448, 575, 575]]


def test_cells_follow_row_by_row_and_level_by_level() -> None:
    anchors = last_pixels(make_anchors([(2, 3), (1, 2)], (8, 16), scale=8.0))
    cells = [(8, x, y) for y in range(2) for x in range(3)] + [(16, x, 0) for x in range(2)]
    expected = [[x * s - 3.5 * s, y * s - 3.5 * s, x * s + 4.5 * s - 1, y * s + 4.5 * s - 1] for s, x, y in cells]
    assert anchors.tolist() == expected


def test_an_anchor_is_a_square_of_its_scale_around_the_middle_of_its_cell() -> None:
    anchors = make_anchors([(3, 2)], (32,), scale=4.0)
    assert torch.equal(anchors[:, 2:] - anchors[:, :2], torch.full((6, 2), 128.0))
    assert box_centres(anchors)[3].tolist() == [48.0, 48.0]


def test_levels_and_strides_must_match() -> None:
    with pytest.raises(ValueError, match="zip"):
        make_anchors([(1, 1)] * 4, STRIDES, scale=8.0)
