"""Images that are listed and do not exist."""

import json
from pathlib import Path

import pytest
from PIL import Image

from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.readers.missing_images import check_missing
from fiber.utils.errors import UserError

from ..box_readers import MemoryObjects


def images(folder: Path, *, listed: int, missing: int) -> CocoDetection:
    """A reader of so many images, the first of which are missing."""
    content = {
        "images": [{"id": number, "file_name": f"{number}.png"} for number in range(listed)],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 3, "bbox": [0, 0, 5, 5]}],
        "categories": [{"id": 3, "name": "cat"}],
    }
    file = folder / "val.json"
    file.write_text(json.dumps(content))
    for number in range(missing, listed):
        Image.new("RGB", (8, 6)).save(folder / f"{number}.png")
    return CocoDetection(str(file), image_folder=str(folder), training=False)


def test_a_share_of_the_images_may_be_missing_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader = images(tmp_path, listed=10, missing=2)
    check_missing(reader, allowed_share=0.2)
    (message,) = caplog.messages
    assert message.startswith(
        f"2 of 10 images of {tmp_path / 'val.json'} are missing, the first is {tmp_path / '0.png'}: training passes"
    )
    with pytest.raises(UserError, match=r"2 of 10 images of .*val\.json .* first is .*0\.png: .*data\.max_broken"):
        check_missing(reader, allowed_share=0.19)


def test_models_are_judged_on_every_image(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"1 of 10 images .* first is .*0\.png: .*; models are judged on all images"):
        check_missing(images(tmp_path, listed=10, missing=1), allowed_share=0.0)


def test_nothing_is_said_where_all_are_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    check_missing(images(tmp_path, listed=3, missing=0), allowed_share=0.0)
    check_missing(MemoryObjects([]), allowed_share=0.0)  # has no files
    assert not caplog.messages


def test_only_images_that_are_used_are_looked_for(tmp_path: Path) -> None:
    reader = images(tmp_path, listed=10, missing=2)
    with pytest.raises(UserError, match="2 of 4 images"):
        check_missing(reader, allowed_share=0.0, max_samples=4)
    (tmp_path / "9.png").unlink()
    for number in range(2):
        Image.new("RGB", (8, 6)).save(tmp_path / f"{number}.png")
    check_missing(reader, allowed_share=0.0, max_samples=9)


def test_a_wrong_folder_is_an_error_whatever_share_may_be_missing(tmp_path: Path) -> None:
    reader = images(tmp_path, listed=3, missing=3)
    with pytest.raises(UserError, match=r"val\.json: none of its 3 images exists, the first would be .*0\.png"):
        check_missing(reader, allowed_share=1.0)
