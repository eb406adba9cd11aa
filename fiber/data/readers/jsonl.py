"""The user's own pairs: one json object per line."""

import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiber.data.readers.base import CaptionReader
from fiber.data.readers.files import load_rgb, require_file, unique
from fiber.utils.errors import UserError

EXPECTED = 'lines such as {"image": "cat.jpg", "caption": "a cat"}; "caption" may be a list, "id" is optional'


class JsonlPairs(CaptionReader):
    """Lines with `image`, `caption` (text or list of texts) and, if wanted, `id`.

    Only the places of the lines are kept in memory: 16 bytes an image.

    Args:
        path: of the file.
        image_folder: what `image` is relative to; None = the folder of the file.

    Raises:
        UserError: a missing file, a line that is not as expected (named by its number), or no line at all.
    """

    def __init__(self, path: str, *, image_folder: str | None = None) -> None:
        self.path = Path(path)
        require_file(self.path, expected=EXPECTED)
        self.folder = self.path.parent if image_folder is None else Path(image_folder)
        self.name = self.path.name
        offsets, counts = array("q"), array("q")
        with self.path.open("rb") as file:
            offset = 0
            for number, line in enumerate(file, start=1):
                if line.strip():
                    offsets.append(offset)
                    counts.append(len(self.parse(line, number)[2]))
                offset += len(line)
        if not offsets:
            raise UserError(f"{self.path} is empty: expected {EXPECTED}.")
        self.offsets = np.array(offsets, dtype=np.int64)
        self.counts = np.array(counts, dtype=np.int64)

    def parse(self, line: bytes, number: int) -> tuple[str, str, tuple[str, ...]]:
        """Identifier, image and captions of a line."""
        try:
            record: Any = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{self.path}:{number} is not json ({error}): expected {EXPECTED}.") from error
        if not isinstance(record, dict) or not isinstance(record.get("image"), str) or "caption" not in record:
            raise UserError(f"{self.path}:{number} lacks image or caption: expected {EXPECTED}.")
        captions = record["caption"] if isinstance(record["caption"], list) else [record["caption"]]
        if not all(isinstance(caption, str) for caption in captions) or not unique(captions):
            raise UserError(f"{self.path}:{number}: the caption is no text, or an empty one.")
        return str(record.get("id", record["image"])), record["image"], unique(captions)

    def record(self, index: int) -> tuple[str, str, tuple[str, ...]]:
        """Identifier, image and captions of an image."""
        with self.path.open("rb") as file:
            file.seek(int(self.offsets[index]))
            return self.parse(file.readline(), index + 1)

    def __len__(self) -> int:
        return len(self.offsets)

    def captions(self, index: int) -> Sequence[str]:
        return self.record(index)[2]

    def caption_counts(self) -> NDArray[np.int64]:
        return self.counts

    def image_id(self, index: int) -> str:
        return self.record(index)[0]

    def location(self, index: int) -> str:
        return str(self.folder / self.record(index)[1])

    def load_image(self, index: int) -> Image.Image:
        return load_rgb(Path(self.location(index)), self.location(index))
