"""Arrow files made for ViLT, METER or FIBER: images and captions in one table."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiber.data.readers.arrow_tables import ArrowTables
from fiber.data.readers.base import CaptionReader
from fiber.data.readers.files import unique, without_blanks

EXPECTED = "Arrow IPC files with columns image (encoded bytes), caption (list of text) and image_id"


class ArrowPairs(CaptionReader):
    """Tables of encoded images with captions, one after the other.

    Args:
        paths: files or patterns such as `sbu_*.arrow`.

    Raises:
        UserError: a pattern that matches nothing, a file of another format, or tables without a row.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.tables = ArrowTables(paths, columns=("image", "caption", "image_id"), expected=EXPECTED)
        self.name = self.tables.name
        self.counts = np.array([len(self.captions(index)) for index in range(len(self))], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.tables)

    def captions(self, index: int) -> Sequence[str]:
        return unique(self.tables.cell("caption", index))

    def references(self, index: int) -> Sequence[str]:
        return without_blanks(self.tables.cell("caption", index))

    def caption_counts(self) -> NDArray[np.int64]:
        return self.counts

    def image_id(self, index: int) -> str:
        return str(self.tables.cell("image_id", index))

    def location(self, index: int) -> str:
        return self.tables.location(index)

    def encoded_images(self, index: int) -> list[bytes]:
        return [self.tables.cell("image", index)]

    def load_image(self, index: int) -> Image.Image:
        return self.tables.image("image", index)
