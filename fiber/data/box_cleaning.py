"""Annotated boxes that can be trained on."""

from collections.abc import Sequence
from typing import NamedTuple

from fiber.data.defects import DefectKind
from fiber.data.records import Box

SMALLEST_SIDE = 1.0
"""Pixels; a box no wider or no higher has no area in the original's arithmetic."""


class CleanBoxes(NamedTuple):
    """Boxes worth training on."""

    kept: tuple[int, ...]
    """Places in the annotations."""
    boxes: tuple[Box, ...]
    """Clipped to the image."""
    defects: tuple[DefectKind, ...]


def clean_boxes(boxes: Sequence[Box], size: tuple[int, int]) -> CleanBoxes:
    """Clip boxes to their image and leave out what cannot be trained on.

    Args:
        boxes: continuous xyxy in pixels, as annotated.
        size: width and height of the image.
    """
    kept, clean, defects = [], [], []
    for place, box in enumerate(boxes):
        defect = box_defect(box, size)
        if defect is not None:
            defects.append(defect)
            continue
        kept.append(place)
        clean.append(clip(box, size))
    return CleanBoxes(tuple(kept), tuple(clean), tuple(defects))


def clip(box: Box, size: tuple[int, int]) -> Box:
    (x1, y1, x2, y2), (width, height) = box, size
    return max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2)


def box_defect(box: Box, size: tuple[int, int]) -> DefectKind | None:
    """Why a box cannot be trained on; None if it can."""
    if not all(abs(value) < float("inf") for value in box):  # nan too
        return DefectKind.BOX_NOT_FINITE
    (x1, y1, x2, y2), (width, height) = box, size
    if min(x2 - x1, y2 - y1) <= SMALLEST_SIDE:
        return DefectKind.BOX_EMPTY
    if min(min(x2, width) - max(x1, 0), min(y2, height) - max(y1, 0)) <= SMALLEST_SIDE:
        return DefectKind.BOX_OUTSIDE
    return None
