"""COCO's layout of annotations, which LVIS, ODinW, Objects365 and MDETR's files share.

{"images": [{"id", "file_name", "height", "width"}],
 "annotations": [{"id", "image_id", "category_id", "bbox", "area", "iscrowd"}],
 "categories": [{"id", "name"}]}
"""

import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fiber.data.readers.files import read_json
from fiber.data.records import Box
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)


class LeftOut(NamedTuple):
    """Annotations of images that a file does not list, which are those of a larger set."""

    annotations: int
    """That are left out."""
    total: int
    """Annotations of the file."""
    images: int
    """Not listed."""


class CocoContent(NamedTuple):
    """A checked file."""

    images: list[dict[str, Any]]
    """In ascending order of their ids."""
    annotations: dict[int, list[dict[str, Any]]]
    """By image, in file order, those of listed images."""
    categories: list[dict[str, Any]]
    """In ascending order of their ids."""
    left_out: LeftOut


def read_coco(path: Path, *, expected: str, image_keys: Sequence[str] = ()) -> CocoContent:
    """Read and check a file; annotations and categories may be missing or null, as in the files of test sets.

    Args:
        path: of the file.
        expected: what it should hold, for messages.
        image_keys: what every image must have beside `id`.

    Raises:
        UserError: it is of another format (naming the entry at fault), holds an id twice, or has annotations, none of
            which is of a listed image.
    """
    content = read_json(path, expected=expected)
    if not isinstance(content, dict):
        raise UserError(f"{path} lists no images: expected {expected}.")
    images, annotations, categories = (
        entries(content, key, path, expected) for key in ("images", "annotations", "categories")
    )
    if not images:
        raise UserError(f"{path} lists no images: expected {expected}.")
    for image in images:
        if missing := {"id", *image_keys} - set(image):
            name = image.get("id", image.get("file_name"))
            raise UserError(f"{path}: image {name} lacks {', '.join(sorted(missing))}: expected {expected}.")
        if not isinstance(image.get("file_name", ""), str):
            raise UserError(f"{path}: file_name of image {image['id']} is no text: expected {expected}.")
    check_ids(images, "image", path)
    check_ids(categories, "category", path)
    by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in annotations:
        check_annotation(annotation, path)
        by_image[annotation["image_id"]].append(annotation)
    unlisted = [by_image.pop(number) for number in set(by_image) - {image["id"] for image in images}]
    left_out = LeftOut(sum(map(len, unlisted)), len(annotations), len(unlisted))
    if annotations and not by_image:
        raise UserError(
            f"{path}: none of its {len(annotations)} annotations is of a listed image; the first has image_id "
            f"{annotations[0]['image_id']!r}, the first image id {images[0]['id']!r}."
        )
    return CocoContent(sorted(images, key=by_id), dict(by_image), sorted(categories, key=by_id), left_out)


def entries(content: dict[str, Any], key: str, path: Path, expected: str) -> list[dict[str, Any]]:
    """A list of the file; empty where it is missing or null.

    Raises:
        UserError: it is something else, or an entry is no object.
    """
    listed = content.get(key)
    if listed is None:
        return []
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise UserError(f"{path}: {key} is no list of objects: expected {expected}.")
    return listed


def warn_of_left_out(left_out: LeftOut, path: Path) -> None:
    """Say how many annotations of a file are not used, if any."""
    if left_out.annotations:
        log.warning("%d of %d annotations are of %d images that %s does not list; they are left out", *left_out, path)


def by_id(entry: dict[str, Any]) -> int:
    """The id of an entry."""
    number: int = entry["id"]
    return number


def check_ids(entries: Iterable[dict[str, Any]], kind: str, path: Path) -> None:
    """Raise a UserError unless ids are whole numbers of one entry each."""
    seen: set[int] = set()
    for entry in entries:
        number = entry.get("id")
        if not isinstance(number, int):
            raise UserError(
                f"{path}: the {kind} {entry.get('name', entry.get('file_name'))!r} has no whole number as id."
            )
        if number in seen:
            raise UserError(f"{path} holds the {kind} id {number} twice: ids must differ.")
        seen.add(number)


def check_annotation(annotation: dict[str, Any], path: Path) -> None:
    """Raise a UserError if this is no box of an image."""
    number, image, area = annotation.get("id"), annotation.get("image_id"), annotation.get("area")
    if not isinstance(image, int | str):
        raise UserError(f"{path}: annotation {number} lacks image_id, a whole number.")
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_finite, box)):
        raise UserError(f"{path}: annotation {number} of image {image} has no bbox [x, y, w, h]: it is {box!r}.")
    if area is not None and not is_finite(area):
        raise UserError(f"{path}: area of annotation {number} of image {image} is no number: it is {area!r}.")


def is_finite(value: Any) -> bool:
    """Whether this is a number other than NaN and infinity."""
    return isinstance(value, int | float) and math.isfinite(value)


def corners(annotation: dict[str, Any]) -> Box:
    """xywh to continuous xyxy."""
    x, y, width, height = annotation["bbox"]
    return float(x), float(y), float(x + width), float(y + height)


def is_crowd(annotation: dict[str, Any]) -> bool:
    """Whether the box holds many objects that were not told apart."""
    return bool(annotation.get("iscrowd", 0))


def stated_size(image: dict[str, Any], path: Path) -> tuple[int, int]:
    """Height and width, which some files give as text; 0 0 if one of them is missing.

    Raises:
        UserError: they are no numbers.
    """
    if image.get("height") is None or image.get("width") is None:
        return 0, 0
    try:
        return int(float(image["height"])), int(float(image["width"]))
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: height and width of image {image['id']} are no numbers.") from error
