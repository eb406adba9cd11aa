"""Detection data of any format as a folder of pictures with their annotations in COCO's layout."""

import json
from pathlib import Path

from omegaconf import DictConfig, ListConfig
from rich.console import Console
from rich.progress import track

from fiber.data.readers.task_readers import DetectionReader
from fiber.data.records import LabeledBox
from fiber.tasks.building import build_reader
from fiber.utils.configs import convert
from fiber.utils.errors import UserError

ANNOTATION_FILE = "_annotations.coco.json"


def write_split(config: DictConfig) -> None:
    """Write one split of detection data as such a folder.

    Args:
        config: composed from `configs/prepare_data.yaml`: `split` of `data`, its first `max_samples`, and `output`.

    Raises:
        UserError: no `output`, no such split, data without objects, or fewer than one sample.
    """
    if config.output is None:
        raise UserError("output is missing: give output=FOLDER.")
    limit: int | None = convert(int | None, config.max_samples, "max_samples")
    if limit is not None and limit < 1:
        raise UserError(f"max_samples={limit}: give 1 or more, or null for all.")
    found = split_of(config.data, config.split)
    reader = build_reader(found, DetectionReader, wanted="objects", suited="fine_coco")  # type: ignore[type-abstract]
    write_coco_folder(reader, config.output, max_samples=limit)


def split_of(data: DictConfig, split: str) -> DictConfig:
    """The reader of a split: of `train`, which may be several sets, the first.

    Raises:
        UserError: there is no such split, or `val` is several sets.
    """
    splits = {"train": data.train[0], "val": data.val, **(data.get("splits") or {})}
    if split not in splits:
        raise UserError(f"split={split}: these data have {', '.join(map(str, splits))}.")
    found = splits[split]
    if isinstance(found, ListConfig):
        raise UserError(f"split={split}: these data have several sets: give data with one.")
    assert isinstance(found, DictConfig)
    return found


def write_coco_folder(reader: DetectionReader, folder: str | Path, *, max_samples: int | None = None) -> None:
    """Write pictures (PNG) and `_annotations.coco.json`, as Roboflow exports them and `task=custom` reads them.

    Args:
        reader: the images. Ids that are no numbers give way to places in the reader.
        folder: of one split, such as `shapes/train`.
        max_samples: only the first so many images; None = all.

    Raises:
        BrokenImageError: an image is missing or cannot be decoded.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ids = [reader.image_id(index) for index in range(len(reader))[:max_samples]]
    numbers = [int(name) for name in ids] if all(name.isdecimal() for name in ids) else list(range(len(ids)))
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    progress = track(numbers, "writing", console=Console(stderr=True), transient=True)
    for index, number in enumerate(progress):
        picture = reader.load_image(index)
        file = f"{number:06d}.png"
        picture.save(folder / file)
        images.append({"id": number, "file_name": file, "width": picture.width, "height": picture.height})
        for item in reader.objects(index):
            category = reader.category_ids[item.class_index]
            annotations.append(annotation(item, number, category, len(annotations) + 1))
    categories = [
        {"id": number, "name": name} for number, name in zip(reader.category_ids, reader.classes, strict=True)
    ]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / ANNOTATION_FILE).write_text(json.dumps(content) + "\n", encoding="utf-8")
    print(f"{len(images):,} images with {len(annotations):,} boxes of {len(categories)} classes: {folder}")


def annotation(item: LabeledBox, image_id: int, category_id: int, number: int) -> dict[str, object]:
    """One object in COCO's layout."""
    left, top, right, bottom = item.box
    width, height = right - left, bottom - top
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": [left, top, width, height],
        "area": width * height if item.area is None else item.area,
        "iscrowd": int(item.is_crowd),
    }
