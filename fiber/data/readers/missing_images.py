"""Images that an annotation file lists and that do not exist."""

import logging

from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.readers.task_readers import BoxReader
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)


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
