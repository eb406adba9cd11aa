"""Images that an annotation file lists and that do not exist."""

import logging
from pathlib import Path

from fiber.data.readers.base import Reader
from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.readers.flickr30k_entities import Flickr30kEntities
from fiber.data.readers.image_list import ImageListReader
from fiber.data.readers.json_lines import JsonLinesReader
from fiber.data.readers.mdetr_grounding import MdetrGrounding
from fiber.data.readers.nlvr2 import Nlvr2Statements
from fiber.data.readers.refer import ReferExpressions
from fiber.data.readers.task_readers import BoxReader
from fiber.data.readers.vqa import VqaQuestions
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)

FILE_READERS = (
    ImageListReader,
    JsonLinesReader,
    CocoDetection,
    Flickr30kEntities,
    MdetrGrounding,
    ReferExpressions,
    VqaQuestions,
)
"""Readers of images that are a file each, at `location`."""


def image_files(reader: Reader, index: int) -> tuple[Path, ...]:
    """Where the images of a sample should lie; none where they are no files of their own, as in tables and shards."""
    if isinstance(reader, Nlvr2Statements):
        return reader.path(index, 0), reader.path(index, 1)
    return (Path(reader.location(index)),) if isinstance(reader, FILE_READERS) else ()


def check_missing(reader: BoxReader, *, allowed_share: float, max_samples: int | None = None) -> None:
    """Look for the images of a file in COCO's layout, and say how many are missing; other readers are not looked at.

    Args:
        reader: of the split.
        allowed_share: of its images that may be missing, in [0, 1]: 0 where models are judged, which cannot go on
            without an image.
        max_samples: only the first so many images are used; None = all.

    Raises:
        UserError: more are missing, or all of them.
    """
    if not isinstance(reader, CocoDetection):
        return
    listed = len(reader) if max_samples is None else min(max_samples, len(reader))
    missing = reader.missing_images(listed)
    if not missing:
        return
    found = f"{len(missing)} of {listed} images of {reader.annotation_file} are missing, the first is {missing[0]}"
    if len(missing) == listed:
        raise UserError(
            f"{reader.annotation_file}: none of its {listed} images exists, the first would be {missing[0]}. Is the "
            "folder of images right?"
        )
    if len(missing) > allowed_share * listed:
        remedy = "or raise data.max_broken" if allowed_share else "models are judged on all images of a split"
        raise UserError(f"{found}: add them, or take them out of the file; {remedy}.")
    log.warning("%s: training passes over them", found)
