"""NLVR2 as published: json lines, and PNG pairs in folders."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from fiber.data.readers.files import load_rgb, require_file, require_folder
from fiber.data.readers.task_readers import StatementReader
from fiber.data.records import Statement
from fiber.data.statement_labels import LABELS
from fiber.utils.errors import UserError

EXPECTED = 'NLVR2\'s lines: {"identifier": "dev-850-0-0", "sentence", "label": "True" or "False"}'
NUM_FIELDS = 4
"""Of an identifier: split, set, pair of images, sentence."""


class StatedPair(NamedTuple):
    """One line."""

    statement: Statement
    folder: str
    """Of its images, within the data set's."""

    @property
    def pair(self) -> str:
        """Identifier of the two images, shared by all sentences about them."""
        return self.statement.identifier.rpartition("-")[0]


class Nlvr2Statements(StatementReader):
    """Sentences about two photographs.

    Args:
        annotation_file: `data/{train,dev,test1}.json`, or `data/balanced/balanced_dev.json` and the like.
        image_folder: holds `images/train/{directory}/`, `dev/` and `test1/`.

    Raises:
        UserError: a missing file or folder, a line that is not as expected (named by its number), no line at all, or
            two of one example.
    """

    def __init__(self, annotation_file: str, *, image_folder: str) -> None:
        path, self.folder = Path(annotation_file), Path(image_folder)
        require_file(path, expected=EXPECTED)
        require_folder(self.folder, expected="NLVR2's folders images/train, dev and test1")
        self.name = f"nlvr2 {path.stem}"
        with path.open(encoding="utf-8") as file:
            numbered = [(number, line) for number, line in enumerate(file, start=1) if line.strip()]
        self.lines = [parse_line(line, f"{path}:{number}") for number, line in numbered]
        if not self.lines:
            raise UserError(f"{path} is empty: expected {EXPECTED}.")
        if len({line.statement.identifier for line in self.lines}) < len(self.lines):
            raise UserError(f"{path} has two lines of one identifier: every example is to be there once.")

    def __len__(self) -> int:
        return len(self.lines)

    def statement(self, index: int) -> Statement:
        return self.lines[index].statement

    def path(self, index: int, side: int) -> Path:
        """The left (0) or the right (1) image."""
        line = self.lines[index]
        return self.folder / line.folder / f"{line.pair}-img{side}.png"

    def location(self, index: int) -> str:
        return str(self.path(index, 0)).replace("-img0.png", "-img{0,1}.png")

    def image_files(self, index: int) -> tuple[Path, Path]:
        return self.path(index, 0), self.path(index, 1)

    def encoded_images(self, index: int) -> list[bytes]:
        return [file.read_bytes() for file in self.image_files(index)]

    def load_images(self, index: int) -> tuple[Image.Image, Image.Image]:
        left, right = self.image_files(index)
        return load_rgb(left, str(left)), load_rgb(right, str(right))


def parse_line(line: str, where: str) -> StatedPair:
    """Check a line.

    Args:
        line: its text.
        where: file and number, for messages.

    Raises:
        UserError: it is not as expected.
    """
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where} is not json ({error}): expected {EXPECTED}.") from error
    if not is_statement(content):
        raise UserError(f"{where} is of another format: expected {EXPECTED}.")
    split = content["identifier"].partition("-")[0]
    if split == "train" and "directory" not in content:
        raise UserError(f"{where}: a training pair without `directory`, the folder of its images in images/train.")
    folder = f"images/train/{content['directory']}" if split == "train" else split
    return StatedPair(Statement(content["sentence"], LABELS[content["label"]], content["identifier"]), folder)


def is_statement(content: Any) -> bool:
    """Whether this looks like an example of NLVR2."""
    if not isinstance(content, dict) or not isinstance(content.get("sentence"), str):
        return False
    identifier = content.get("identifier")
    whole = isinstance(identifier, str) and len(identifier.split("-")) == NUM_FIELDS
    return whole and content.get("label") in list(LABELS)
