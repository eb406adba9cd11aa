"""Detection data of any format as a folder of pictures with their annotations in COCO's layout."""

import json
from pathlib import Path

from omegaconf import DictConfig

from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.task_readers import DetectionReader
from fiber.data.records import LabeledBox
from fiber.preparation.data_splits import chosen_set
from fiber.preparation.options import make_folder, positive, require_empty, required_output
from fiber.preparation.progress import quantity, shown
from fiber.tasks.building import build_reader
from fiber.utils.errors import UserError

ANNOTATION_FILE = "_annotations.coco.json"


def write_split(config: DictConfig) -> None:
    """Write one split of detection data as such a folder.

    Args:
        config: composed from `configs/prepare_data.yaml`: `split` and `set_number` of `data`, its first `max_samples`,
            and `output`.

    Raises:
        UserError: no `output`, or one that holds something; no such split or set, data without objects, fewer than one
            sample, or a broken image.
    """
    output = require_empty(required_output(config))
    max_samples = positive(config, "max_samples")
    found = chosen_set(config).config
    reader = build_reader(found, DetectionReader, wanted="objects", suited="fine_coco")  # type: ignore[type-abstract]
    try:
        write_coco_folder(reader, output, max_samples=max_samples)
    except BrokenImageError as error:
        raise UserError(f"{error}: mend the image, or choose others by max_samples, and empty {output}.") from error


def write_coco_folder(reader: DetectionReader, folder: str | Path, *, max_samples: int | None = None) -> None:
    """Write pictures (PNG) and `_annotations.coco.json`, as Roboflow exports them and `task=custom` reads them.

    Args:
        reader: the images. Ids that are no numbers give way to places in the reader.
        folder: of one split, such as `shapes/train`.
        max_samples: only the first so many images; None = all.

    Raises:
        UserError: the folder holds something, or cannot be made.
        BrokenImageError: an image is missing or cannot be decoded.
    """
    folder = require_empty(folder)
    make_folder(folder)
    ids = [reader.image_id(index) for index in range(len(reader))[:max_samples]]
    numbers = [int(name) for name in ids] if all(name.isdecimal() for name in ids) else list(range(len(ids)))
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for index, number in enumerate(shown(numbers, "writing", total=len(numbers))):
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
    boxes = f"{len(annotations):,} box{'' if len(annotations) == 1 else 'es'}"
    classes = f"{len(categories):,} class{'' if len(categories) == 1 else 'es'}"
    print(f"{quantity(len(images), 'image')} with {boxes} of {classes}: {folder}")


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
