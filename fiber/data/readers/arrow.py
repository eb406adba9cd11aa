"""Arrow files made for ViLT, METER or FIBER: images and captions in one table."""

import glob
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from fiber.data.readers.base import CaptionReader
from fiber.data.readers.files import load_rgb, unique
from fiber.utils.errors import UserError

EXPECTED = "Arrow IPC files with columns image (encoded bytes), caption (list of text) and image_id"


class ArrowPairs(CaptionReader):
    """Tables of encoded images with captions, memory-mapped, one after the other.

    Args:
        paths: files or patterns such as `sbu_*.arrow`.

    Raises:
        UserError: a pattern that matches nothing, a file of another format, or tables without a row.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = [match for path in paths for match in expand(path)]
        self.name = Path(self.paths[0]).stem
        self.open()
        self.counts = np.array([len(self.captions(index)) for index in range(len(self))], dtype=np.int64)
        if len(self) == 0:
            raise UserError(f"{', '.join(self.paths)}: the tables hold no row.")

    def open(self) -> None:
        """Map the files; also done anew in every worker."""
        self.tables = [open_table(path) for path in self.paths]
        self.starts = np.concatenate([[0], np.cumsum([table.num_rows for table in self.tables])])

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("tables", "starts")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.open()

    def cell(self, column: str, index: int) -> Any:
        """One value of the joined tables."""
        table = int(np.searchsorted(self.starts, index, side="right")) - 1
        return self.tables[table][column][index - int(self.starts[table])].as_py()

    def __len__(self) -> int:
        return int(self.starts[-1])

    def captions(self, index: int) -> Sequence[str]:
        return unique(self.cell("caption", index))

    def caption_counts(self) -> NDArray[np.int64]:
        return self.counts

    def image_id(self, index: int) -> str:
        return str(self.cell("image_id", index))

    def location(self, index: int) -> str:
        table = int(np.searchsorted(self.starts, index, side="right")) - 1
        return f"{self.paths[table]}:{index - int(self.starts[table])}"

    def load_image(self, index: int) -> Image.Image:
        return load_rgb(io.BytesIO(self.cell("image", index)), self.location(index))


def expand(path: str) -> list[str]:
    """Files of a pattern, in order of their names."""
    matches = sorted(glob.glob(path))
    if not matches:
        raise UserError(f"{path} matches no file: expected {EXPECTED}. Is data_dir right?")
    return matches


def open_table(path: str) -> pa.Table:
    """Map one file."""
    try:
        table = pa.ipc.open_file(pa.memory_map(path, "r")).read_all()
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} is no Arrow IPC file ({error}): expected {EXPECTED}.") from error
    missing = {"image", "caption", "image_id"} - set(table.column_names)
    if missing:
        raise UserError(f"{path} lacks the columns {', '.join(sorted(missing))}: expected {EXPECTED}.")
    return table
