"""The user's own folders: every layout that is found, and what is said where none is."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.readers.custom_boxes import custom_boxes
from fiber.data.readers.grounding_jsonl import GroundingJsonl
from fiber.utils.errors import UserError

LINE = {"image": "pics/a.png", "caption": "a cat", "phrases": [{"text": "cat", "boxes": [[0, 0, 2, 2]]}]}


def coco(*files: str) -> dict[str, Any]:
    return {
        "images": [{"id": number, "file_name": file} for number, file in enumerate(files)],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 3, "bbox": [0, 0, 5, 5]}],
        "categories": [{"id": 3, "name": "cat"}],
    }


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6)).save(path)


@pytest.mark.parametrize(
    ("split", "annotations", "image"),
    [
        ("train", "train/_annotations.coco.json", "train/a.png"),
        ("val", "valid/_annotations.coco.json", "valid/a.png"),
        ("val", "val/annotations_without_background.json", "val/a.png"),
        ("train", "annotations/instances_train2017.json", "train2017/a.png"),
        ("train", "annotations/instances_train2017.json", "train/a.png"),
        ("val", "annotations/instances_val.json", "images/val/a.png"),
        ("val", "annotations/instances_val.json", "images/a.png"),
        ("train", "train.json", "images/train/a.png"),
        ("train", "train.json", "train/a.png"),
        ("val", "val.json", "images/a.png"),
        ("val", "val.json", "a.png"),
        ("test", "test/_annotations.coco.json", "test/a.png"),
        ("test", "annotations/instances_test2017.json", "test2017/a.png"),
        ("test", "test.json", "images/test/a.png"),
    ],
)
def test_coco_layouts_are_found_with_their_images(tmp_path: Path, split: str, annotations: str, image: str) -> None:
    write(tmp_path / annotations, coco("a.png", "b.png"))
    picture(tmp_path / image)
    reader = custom_boxes(str(tmp_path), split)
    assert isinstance(reader, CocoDetection)
    assert reader.location(0) == str(tmp_path / image)
    assert reader.load_image(0).size == (8, 6)
    assert reader.name == f"{tmp_path.name} {split}"


def test_lines_are_found_with_images_relative_to_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", LINE)
    reader = custom_boxes(str(tmp_path), "train")
    assert isinstance(reader, GroundingJsonl)
    assert reader.location(0) == str(tmp_path / "pics/a.png")
    assert reader.name == f"{tmp_path.name} train"


def test_layouts_are_looked_for_in_order(tmp_path: Path) -> None:
    places = [
        "train.jsonl",
        "train.json",
        "annotations/instances_train.json",
        "train/_annotations.coco.json",
        "train/annotations_without_background.json",
    ]
    picture(tmp_path / "train/a.png")
    for place in places:
        write(tmp_path / place, LINE if place.endswith("jsonl") else coco("a.png"))
        reader = custom_boxes(str(tmp_path), "train")
        found = reader.path if isinstance(reader, GroundingJsonl) else reader.annotation_file  # type: ignore[attr-defined]
        assert found == tmp_path / place


def test_the_folder_that_holds_the_first_image_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "train.json", coco("images/a.png"))
    picture(tmp_path / "images/a.png")
    (tmp_path / "train").mkdir()
    assert custom_boxes(str(tmp_path), "train").location(0) == str(tmp_path / "images/a.png")


def test_training_leaves_out_specks_and_validation_keeps_all(tmp_path: Path) -> None:
    content = coco("a.png", "b.png")
    content["annotations"].append({"id": 2, "image_id": 1, "category_id": 3, "bbox": [0, 0, 1, 5]})
    write(tmp_path / "train.json", content)
    write(tmp_path / "val.json", content)
    write(tmp_path / "test.json", content)
    assert [len(custom_boxes(str(tmp_path), split)) for split in ("train", "val", "test")] == [1, 2, 2]


def test_the_raccoons_are_such_a_folder(shared: Path) -> None:
    folder = shared / "data/mini/odinw/Raccoon/Raccoon.v2-raw.coco"
    train, val = (custom_boxes(str(folder), split) for split in ("train", "val"))
    assert (train.name, len(train), len(val)) == ("Raccoon.v2-raw.coco train", 14, 4)
    assert isinstance(val, CocoDetection) and val.missing_images(4) == []


def test_a_folder_without_annotations_is_told_every_place_that_was_looked_at(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        custom_boxes(str(tmp_path), "val")
    for place in (
        "valid/_annotations.coco.json",
        "val/annotations_without_background.json",
        "annotations/instances_val*.json",
        "val.json",
        "val.jsonl",
    ):
        assert str(tmp_path / place) in str(error.value)
    assert "holds no annotations of the split val" in str(error.value)


def test_training_data_alone_are_told_what_to_add(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", LINE)
    with pytest.raises(UserError, match="training data but none to validate on: set some images apart and give"):
        custom_boxes(str(tmp_path), "val")


def test_other_faults_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="split='valid': choose from train, val, test"):
        custom_boxes(str(tmp_path), "valid")
    with pytest.raises(UserError, match=r"no annotations of the split test: looked for .*test\.jsonl"):
        custom_boxes(str(tmp_path), "test")
    with pytest.raises(UserError, match="absent is no folder: give the one"):
        custom_boxes(str(tmp_path / "absent"), "val")
    write(tmp_path / "annotations/instances_val2014.json", coco("a.png"))
    with pytest.raises(UserError, match=r"images were looked for in .*val2014, .*none of which is a folder"):
        custom_boxes(str(tmp_path), "val")
    write(tmp_path / "annotations/instances_val2017.json", coco("a.png"))
    with pytest.raises(UserError, match=r"holds instances_val2014\.json, instances_val2017\.json: leave one"):
        custom_boxes(str(tmp_path), "val")
