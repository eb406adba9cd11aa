"""The user's own data: one json object per line."""

import json
from abc import abstractmethod
from array import array
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from fiber.data.readers.files import require_file
from fiber.data.readers.image_file_reader import ImageFileReader
from fiber.utils.errors import UserError


class LineRecord(Protocol):
    """What every line tells."""

    @property
    def image_id(self) -> str: ...

    @property
    def image(self) -> str: ...


RecordT = TypeVar("RecordT", bound=LineRecord)


class JsonLinesReader(ImageFileReader, Generic[RecordT]):
    """Lines that name an image each; all are checked when the reader is built, and read again when asked for.

    Only the places of the lines and a few numbers of each are kept in memory.

    Args:
        path: of the file.
        image_folder: what images are relative to; None = the folder of the file.

    Raises:
        UserError: a missing file, a line that is not as expected (named by its number), or no line at all.
    """

    expected: str
    """What lines should look like, for messages."""

    def __init__(self, path: str, *, image_folder: str | None = None) -> None:
        self.path = Path(path)
        require_file(self.path, expected=self.expected)
        self.folder = self.path.parent if image_folder is None else Path(image_folder)
        self.name = self.path.name
        places, numbers = array("q"), array("q")
        with self.path.open("rb") as file:
            offset = 0
            for number, line in enumerate(file, start=1):
                if line.strip():
                    places.extend((offset, number))
                    numbers.extend(self.measure(self.parse_line(line, number)))
                offset += len(line)
        if not places:
            raise UserError(f"{self.path} is empty: expected {self.expected}.")
        self.places = np.array(places, dtype=np.int64).reshape(-1, 2)
        """Offset in bytes and number of every line."""
        self.numbers = np.array(numbers, dtype=np.int64).reshape(len(self.places), -1)
        """What `measure` says of every line."""

    @abstractmethod
    def parse(self, content: dict[str, Any], where: str) -> RecordT:
        """Check the content of a line; `where` names the line in messages.

        Raises:
            UserError: it is not as expected.
        """

    @abstractmethod
    def measure(self, record: RecordT) -> tuple[int, ...]:
        """Numbers to be kept in memory, equally many for every line."""

    def parse_line(self, line: bytes, number: int) -> RecordT:
        """Check a line of the file.

        Raises:
            UserError: it is no json object, or not as expected.
        """
        where = f"{self.path}:{number}"
        try:
            content = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{where} is not json ({error}): expected {self.expected}.") from error
        if not isinstance(content, dict) or not isinstance(content.get("image"), str) or "caption" not in content:
            raise UserError(f"{where} lacks image or caption: expected {self.expected}.")
        return self.parse(content, where)

    def record(self, index: int) -> RecordT:
        """Content of a line."""
        offset, number = self.places[index].tolist()
        with self.path.open("rb") as file:
            file.seek(offset)
            return self.parse_line(file.readline(), number)

    def __len__(self) -> int:
        return len(self.places)

    def image_id(self, index: int) -> str:
        return self.record(index).image_id

    def location(self, index: int) -> str:
        return str(self.folder / self.record(index).image)
