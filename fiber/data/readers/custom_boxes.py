"""The user's own boxes: finds what lies in a folder, and reads it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.readers.files import MissingFileError
from fiber.data.readers.grounding_jsonl import GroundingJsonl
from fiber.data.readers.odinw import ANNOTATION_FILES
from fiber.data.readers.task_readers import BoxReader
from fiber.utils.errors import UserError

FOLDERS = {"train": ("train",), "val": ("valid", "val"), "test": ("test",)}
"""Where annotations lie beside the images of a split."""


class FoundFile(NamedTuple):
    """Annotations of a split."""

    path: Path
    image_folders: Sequence[Path]
    """Where the images may lie, the likeliest place first; empty for lines that name them."""


def custom_boxes(data_dir: str, split: str) -> BoxReader:
    """Read one split of whatever layout `data_dir` has, the first of:

    1. `train/_annotations.coco.json` beside the images, as Roboflow and ODinW have it, and `valid/` or `val/`;
       `annotations_without_background.json` goes before it;
    2. `annotations/instances_train*.json` and `instances_val*.json`, with the images in a folder named like the rest
       (`train2017/`), in `train/`, `images/train/` or `images/`;
    3. `train.json` and `val.json`, with the images in `images/train/`, `train/`, `images/` or `data_dir` itself;
    4. `train.jsonl` and `val.jsonl` as `GroundingJsonl` reads them, images relative to `data_dir`.

    The split `test` lies beside them in the same way.

    Args:
        data_dir: the folder.
        split: `train`, `val` or `test`.

    Returns:
        `CocoDetection` or, of the fourth, `GroundingJsonl`.

    Raises:
        UserError: another split, none of the layouts (listing what was looked for), no validation data beside training
            data, or no folder of images; also as the readers say.
    """
    if split not in FOLDERS:
        raise UserError(f"split={split!r}: choose from {', '.join(FOLDERS)}.")
    place = Path(data_dir)
    if not place.is_dir():
        raise UserError(f"data_dir={data_dir} is no folder: give the one with your images and annotations.")
    found = find_annotations(place, split)
    if found is None:
        raise MissingFileError(nothing_found(place, split), path=folder_files(place, split)[-1])
    reader = read_lines(found, place) if not found.image_folders else read_coco_boxes(found, split)
    reader.name = f"{place.resolve().name} {split}"
    return reader


def find_annotations(place: Path, split: str) -> FoundFile | None:
    """The annotation file of a split and where its images may lie; None if there is no such file.

    Raises:
        UserError: there are several to choose from.
    """
    for path in folder_files(place, split):
        if path.is_file():
            return FoundFile(path, [path.parent])
    instances = sorted((place / "annotations").glob(f"instances_{split}*.json"))
    if len(instances) > 1:
        raise UserError(
            f"{place / 'annotations'} holds {', '.join(path.name for path in instances)}: leave one file of each split."
        )
    images = place / "images"
    for path in instances:
        rest = path.stem.removeprefix("instances_")
        return FoundFile(path, [place / rest, place / split, images / rest, images / split, images])
    if (path := place / f"{split}.json").is_file():
        return FoundFile(path, [images / split, place / split, images, place])
    if (path := place / f"{split}.jsonl").is_file():
        return FoundFile(path, [])
    return None


def folder_files(place: Path, split: str) -> list[Path]:
    """Annotation files beside the images of a split, the preferred first."""
    return [place / folder / name for folder in FOLDERS[split] for name in ANNOTATION_FILES]


def nothing_found(place: Path, split: str) -> str:
    """What was looked for, and whether the other split is there."""
    looked_for = [
        *map(str, folder_files(place, split)),
        str(place / "annotations" / f"instances_{split}*.json"),
        str(place / f"{split}.json"),
        str(place / f"{split}.jsonl"),
    ]
    if split == "val" and find_annotations(place, "train") is not None:
        return (
            f"data_dir={place} holds training data but none to validate on: set some images apart and give their "
            f"annotations as {' or '.join(looked_for)}."
        )
    return (
        f"data_dir={place} holds no annotations of the split {split}: looked for {', '.join(looked_for[:-1])} (COCO's "
        f"layout) and {looked_for[-1]} (captions with phrases)."
    )


def read_lines(found: FoundFile, place: Path) -> GroundingJsonl:
    """Captions with phrases."""
    return GroundingJsonl(str(found.path), image_folder=str(place))


def read_coco_boxes(found: FoundFile, split: str) -> CocoDetection:
    """Boxes in COCO's layout, from the folder that holds the first image.

    Raises:
        UserError: none of the folders exists.
    """
    folders = [folder for folder in dict.fromkeys(found.image_folders) if folder.is_dir()]
    if not folders:
        raise UserError(
            f"{found.path}: its images were looked for in {', '.join(map(str, found.image_folders))}, none of which is "
            "a folder."
        )
    reader = CocoDetection(str(found.path), image_folder=str(folders[0]), training=split == "train")
    files = reader.record(0).files
    reader.folder = next((one for one in folders if any((one / file).is_file() for file in files)), folders[0])
    return reader
