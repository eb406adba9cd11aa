"""Detection data in COCO's layout: COCO, Objects365 as json, ODinW, and the user's own."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.annotation_index import AnnotationIndex, IndexContent
from fiber.data.readers.coco_extent import Extent, measure_extent, require_pixels, warn_of_extent
from fiber.data.readers.coco_format import (
    CocoContent,
    LeftOut,
    corners,
    is_crowd,
    read_coco,
    stated_size,
    warn_of_left_out,
)
from fiber.data.readers.files import require_folder
from fiber.data.readers.image_file_reader import ImageFileReader
from fiber.data.readers.task_readers import DetectionReader
from fiber.data.records import LabeledBox
from fiber.detection.prompts import BACKGROUND, clean_name
from fiber.utils.errors import UserError

EXPECTED = (
    'COCO instances: {"images": [{"id", "file_name"}], '
    '"annotations": [{"image_id", "category_id", "bbox"}], "categories": [{"id", "name"}]}'
)

INDEX_VERSION = 3
"""Of `FileDetails` and `ImageRecord`."""


class FileDetails(NamedTuple):
    """What the index keeps of the whole file."""

    classes: Sequence[str]
    category_ids: Sequence[int]
    """One per class, as the following."""
    frequencies: Sequence[str | None]
    """LVIS: r, c or f."""
    left_out: Sequence[int]
    """Fields of `LeftOut`."""
    extent: Sequence[int]
    """Fields of `Extent`."""


class ImageRecord(NamedTuple):
    """What the index keeps of an image."""

    image_id: int
    files: list[str]
    """Where the image may lie, below the image folder."""
    objects: list[Any]
    """Fields of `LabeledBox`."""
    negative_classes: list[int]
    """LVIS: classes that are certainly absent."""
    not_exhaustive_classes: list[int]
    """LVIS: classes of which not every object has a box."""


class CocoDetection(ImageFileReader, DetectionReader):
    """Images with their boxes, in ascending order of image ids; classes in ascending order of category ids.

    A background is no class: a category named `__background__`, or one of id 0 without boxes that is but the group of
    the others, as Roboflow exports have. Annotations of images that the file does not list are left out, with one
    warning; another warning says if many boxes reach beyond their image.

    Args:
        annotation_file: such as `annotations/instances_train2017.json`; boxes may be missing where models are judged.
        image_folder: where the file names of the annotation file lie; they may hold folders.
        training: leave out images all of whose boxes are at most a pixel wide or high; False keeps every image.
        keep_empty: in training, keep images without boxes, which teach what is absent. The original left them out.

    Raises:
        UserError: a missing file or folder, a file of another format, an id that occurs twice, a category without a
            name, two of one name, a box of an unknown category, boxes that are not in pixels, or no image to train on.
    """

    layout = "coco detection"
    distinct_words: ClassVar[bool] = True
    """Whether names of classes must differ in what is asked for, not in parentheses and underscores alone."""

    def __init__(
        self, annotation_file: str, *, image_folder: str, training: bool = True, keep_empty: bool = True
    ) -> None:
        self.annotation_file, self.folder = Path(annotation_file), Path(image_folder)
        self.name = self.annotation_file.stem
        self.index = AnnotationIndex(
            self.annotation_file,
            layout=f"{self.layout}, version {INDEX_VERSION}, training={training}, keep_empty={keep_empty}",
            build=partial(
                build_index,
                possible_files=self.possible_files,
                training=training,
                keep_empty=keep_empty,
                distinct_words=self.distinct_words,
            ),
        )
        require_folder(self.folder, expected=f"the images of {self.annotation_file.name}")
        details = FileDetails(*self.index.details)
        self.classes, self.category_ids = tuple(details.classes), tuple(details.category_ids)
        self.left_out = LeftOut(*details.left_out)
        warn_of_left_out(self.left_out, self.annotation_file)
        warn_of_extent(Extent(*details.extent), self.annotation_file)

    @staticmethod
    def possible_files(image: dict[str, Any]) -> list[str]:
        """Where an image of the annotation file may lie below the image folder, the likeliest place first."""
        return [image["file_name"]] if "file_name" in image else []

    def record(self, index: int) -> ImageRecord:
        """What the index keeps of an image."""
        return ImageRecord(*self.index[index])

    def __len__(self) -> int:
        return len(self.index)

    def sizes(self) -> NDArray[np.int64]:
        return self.index.sizes

    def objects(self, index: int) -> Sequence[LabeledBox]:
        return [
            LabeledBox((left, top, right, bottom), *rest)
            for (left, top, right, bottom), *rest in self.record(index).objects
        ]

    def image_id(self, index: int) -> str:
        return str(self.record(index).image_id)

    def location(self, index: int) -> str:
        places = [self.folder / file for file in self.record(index).files]
        return str(next((place for place in places[:-1] if place.is_file()), places[-1]))

    def missing_images(self, count: int) -> list[str]:
        """Locations of those of the first `count` images whose file does not exist; looks for every one."""
        return [place for place in map(self.location, range(count)) if not Path(place).is_file()]


def build_index(
    path: Path,
    *,
    possible_files: Callable[[dict[str, Any]], list[str]],
    training: bool,
    keep_empty: bool,
    distinct_words: bool,
) -> IndexContent:
    """Parse an annotation file.

    Raises:
        UserError: as `CocoDetection` says.
    """
    content = read_coco(path, expected=EXPECTED)
    categories = find_classes(content, path, distinct_words=distinct_words)
    if not categories:
        raise UserError(f"{path} lists no categories: expected {EXPECTED}.")
    require_pixels(content, path)
    class_of = {category["id"]: place for place, category in enumerate(categories)}
    images = content.images
    if training:
        images = [image for image in images if is_valid(content.annotations.get(image["id"], ()), keep_empty)]
        if not content.annotations or not images:
            raise UserError(f"{path} has no image with boxes to train on: expected {EXPECTED}.")
    details = FileDetails(
        [category["name"] for category in categories],
        [category["id"] for category in categories],
        [category.get("frequency") for category in categories],
        content.left_out,
        measure_extent(content, path),
    )
    return IndexContent(
        details=details,
        sizes=[stated_size(image, path) for image in images],
        records=(
            ImageRecord(
                image["id"],
                existing(possible_files(image), image, path),
                [labeled_box(one, class_of, path) for one in content.annotations.get(image["id"], ())],
                classes_of(image, "neg_category_ids", class_of, path),
                classes_of(image, "not_exhaustive_category_ids", class_of, path),
            )
            for image in images
        ),
    )


def find_classes(content: CocoContent, path: Path, *, distinct_words: bool) -> list[dict[str, Any]]:
    """Categories without the background.

    Raises:
        UserError: one has no name, or two have the same.
    """
    for category in content.categories:
        if not isinstance(category.get("name"), str):
            raise UserError(f"{path}: category {category['id']} has no name.")
    groups = [category.get("supercategory") for category in content.categories if category["id"] != 0]
    zero_used = any(one.get("category_id") == 0 for boxes in content.annotations.values() for one in boxes)
    classes = [
        category
        for category in content.categories
        if category["name"] != BACKGROUND and not (category["id"] == 0 and category["name"] in groups and not zero_used)
    ]
    first: dict[str, dict[str, Any]] = {}
    for category in classes:
        words = clean_name(category["name"]).strip() if distinct_words else category["name"]
        other = first.setdefault(words, category)
        if other is not category:
            raise UserError(
                f"{path}: categories {other['id']} ({other['name']!r}) and {category['id']} ({category['name']!r}) are "
                f"both asked for as {words!r}: rename one, or merge them."
            )
    return classes


def is_valid(annotations: Sequence[dict[str, Any]], keep_empty: bool) -> bool:
    """Whether an image serves training: it has a box of more than a pixel each way, or, if wanted, none at all."""
    if not annotations:
        return keep_empty
    return any(min(annotation["bbox"][2:]) > 1 for annotation in annotations)


def labeled_box(annotation: dict[str, Any], class_of: dict[int, int], path: Path) -> LabeledBox:
    """One annotation, as annotated.

    Raises:
        UserError: its category is unknown.
    """
    category = annotation.get("category_id")
    if not isinstance(category, int) or category not in class_of:
        raise UserError(f"{path}: annotation {annotation.get('id')} is of category {category!r}, which is no class.")
    return LabeledBox(corners(annotation), class_of[category], is_crowd(annotation), annotation.get("area"))


def classes_of(image: dict[str, Any], key: str, class_of: dict[int, int], path: Path) -> list[int]:
    """Places of an image's categories in the list of classes; none where it does not name any.

    Raises:
        UserError: they are no list of whole numbers.
    """
    category_ids = image.get(key) or []
    if not isinstance(category_ids, list) or not all(isinstance(number, int) for number in category_ids):
        raise UserError(f"{path}: {key} of image {image['id']} is no list of category ids.")
    return [class_of[number] for number in category_ids if number in class_of]


def existing(files: list[str], image: dict[str, Any], path: Path) -> list[str]:
    """The files of an image if the annotations name any."""
    if not files:
        raise UserError(f"{path}: image {image['id']} names no file: expected {EXPECTED}.")
    return files
