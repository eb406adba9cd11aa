"""Whether the boxes of a file in COCO's layout are what they should be: left, top, width and height in pixels."""

import logging
from pathlib import Path
from typing import NamedTuple

from fiber.data.readers.coco_format import CocoContent, corners, stated_size
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)

TOLERANCE = 1.0
"""Pixels that a box may reach beyond its image."""
USUAL_SHARE = 0.1
"""Of boxes that reach further, up to which nothing is said: a few are normal."""


class Extent(NamedTuple):
    """How many boxes fit into their images."""

    beyond: int
    """Boxes that reach beyond their image."""
    boxes: int
    """Boxes of images of stated size."""


def measure_extent(content: CocoContent, path: Path) -> Extent:
    """Compare the boxes of listed images with the images' stated sizes.

    Raises:
        UserError: a size is no number.
    """
    beyond = total = 0
    for image in content.images:
        height, width = stated_size(image, path)
        annotations = content.annotations.get(image["id"], ())
        if not height or not width:
            continue
        total += len(annotations)
        for left, top, right, bottom in map(corners, annotations):
            inside = min(left, top) >= -TOLERANCE and right <= width + TOLERANCE and bottom <= height + TOLERANCE
            beyond += not inside
    return Extent(beyond, total)


def warn_of_extent(extent: Extent, path: Path) -> None:
    """Say how many boxes reach beyond their image, if these are many: as a rule, two corners were written."""
    if extent.beyond > USUAL_SHARE * extent.boxes:
        log.warning(
            "%d of %d boxes of %s reach beyond their image: is bbox [x, y, width, height] in pixels?", *extent, path
        )


def require_pixels(content: CocoContent, path: Path) -> None:
    """Raise a UserError if all boxes lie within 0 and 1, as shares of an image do."""
    sides = (side for boxes in content.annotations.values() for one in boxes for side in one["bbox"])
    if content.annotations and all(0 <= side <= 1 for side in sides):
        raise UserError(
            f"{path}: all boxes lie within 0 and 1: bbox [x, y, width, height] is expected in pixels, not in shares of "
            "the image."
        )
