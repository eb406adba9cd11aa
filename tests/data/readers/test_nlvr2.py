"""NLVR2's files: real samples, and lines that are not what they should be."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.nlvr2 import Nlvr2Statements
from fiber.data.records import Statement
from fiber.utils.errors import UserError

LINE: dict[str, Any] = {"identifier": "dev-3-1-0", "sentence": "two dogs", "label": "True"}


def write(folder: Path, *lines: object) -> str:
    path = folder / "dev.json"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return str(path)


@pytest.mark.parametrize(
    ("file", "size"),
    [
        ("train", 1),
        ("dev", 8),
        ("test1", 4),
        ("balanced/balanced_test1", 2),
        ("unbalanced/unbalanced_dev", 8),
        ("unbalanced/unbalanced_test1", 2),
    ],
)
def test_real_files_and_images(shared: Path, file: str, size: int) -> None:
    folder = shared / "data/mini/nlvr2"
    annotations = folder / f"data/{file}.json"
    reader = pickle.loads(pickle.dumps(Nlvr2Statements(str(annotations), image_folder=str(folder))))
    lines = [json.loads(line) for line in annotations.read_text().splitlines()]
    assert len(reader) == len(lines) == size
    for index, line in enumerate(lines):
        expected = Statement(line["sentence"], line["label"] == "True", line["identifier"])
        assert reader.statement(index) == expected
        assert [image.mode for image in reader.load_images(index)] == ["RGB", "RGB"]
    assert list(reader.texts()) == [line["sentence"] for line in lines]


def test_left_is_the_first_image(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "images/train/17").mkdir(parents=True)
    for path, size in (("dev/dev-3-1", (4, 5)), ("images/train/17/train-2-0", (6, 7))):
        Image.new("L", size).save(tmp_path / f"{path}-img0.png")
        Image.new("RGBA", (2, 2)).save(tmp_path / f"{path}-img1.png")
    train = LINE | {"identifier": "train-2-0-1", "directory": 17, "label": "False"}
    reader = Nlvr2Statements(write(tmp_path, LINE, "", train), image_folder=str(tmp_path))
    assert [[image.size for image in reader.load_images(index)] for index in range(2)] == [
        [(4, 5), (2, 2)],
        [(6, 7), (2, 2)],
    ]
    assert reader.location(1) == str(tmp_path / "images/train/17/train-2-0-img{0,1}.png")
    assert not reader.statement(1).is_true


def test_the_missing_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "dev/dev-3-1-img0.png")
    reader = Nlvr2Statements(write(tmp_path, LINE), image_folder=str(tmp_path))
    with pytest.raises(BrokenImageError, match=r"dev-3-1-img1\.png"):
        reader.load_images(0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "is not json"),
        ([LINE], "is of another format"),
        (LINE | {"label": "yes"}, "is of another format"),
        (LINE | {"label": ["True"]}, "is of another format"),
        (LINE | {"identifier": "dev-3-1"}, "is of another format"),
        ({key: value for key, value in LINE.items() if key != "sentence"}, "is of another format"),
        (LINE | {"identifier": "train-3-1-0"}, "without `directory`"),
    ],
)
def test_a_wrong_line_is_named_by_its_number(tmp_path: Path, line: object, message: str) -> None:
    path = write(tmp_path, LINE, line)
    with pytest.raises(UserError, match=rf"dev\.json:2.*{message}"):
        Nlvr2Statements(path, image_folder=str(tmp_path))


def test_missing_empty_and_doubled_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        Nlvr2Statements(str(tmp_path / "absent.json"), image_folder=str(tmp_path))
    with pytest.raises(UserError, match="is empty"):
        Nlvr2Statements(write(tmp_path, ""), image_folder=str(tmp_path))
    with pytest.raises(UserError, match="two lines of one identifier"):
        Nlvr2Statements(write(tmp_path, LINE, LINE | {"label": "False"}), image_folder=str(tmp_path))
    with pytest.raises(UserError, match="is no folder"):
        Nlvr2Statements(write(tmp_path, LINE), image_folder=str(tmp_path / "absent"))
