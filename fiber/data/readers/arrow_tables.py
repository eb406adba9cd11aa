"""Access to Arrow files made for ViLT, METER or FIBER."""

import glob
import io
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from fiber.data.readers.files import MissingFileError, load_rgb
from fiber.utils.errors import UserError


class ArrowTables:
    """Tables of the same columns, memory-mapped, one after the other.

    Args:
        paths: files or patterns such as `sbu_*.arrow`.
        columns: that are needed.
        expected: what the files should be, for messages.

    Raises:
        UserError: a pattern that matches nothing, a file of another format, or tables without a row.
    """

    def __init__(self, paths: Sequence[str], *, columns: Collection[str], expected: str) -> None:
        self.paths = [match for path in paths for match in expand(path, expected)]
        self.columns = frozenset(columns)
        self.expected = expected
        self.open()
        if len(self) == 0:
            raise UserError(f"{', '.join(self.paths)}: the tables hold no row.")

    @property
    def name(self) -> str:
        """Of the first file."""
        return Path(self.paths[0]).stem

    def open(self) -> None:
        """Map the files; also done anew in every worker."""
        self.tables = [open_table(path, self.columns, self.expected) for path in self.paths]
        self.starts = np.concatenate([[0], np.cumsum([table.num_rows for table in self.tables])])

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("tables", "starts")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.open()

    def __len__(self) -> int:
        """Number of rows."""
        return int(self.starts[-1])

    def find(self, row: int) -> tuple[int, int]:
        """Table of a row, and its place there."""
        table = int(np.searchsorted(self.starts, row, side="right")) - 1
        return table, row - int(self.starts[table])

    def cell(self, column: str, row: int) -> Any:
        """One value."""
        table, place = self.find(row)
        return self.tables[table][column][place].as_py()

    def column(self, column: str) -> list[Any]:
        """A value of every row."""
        return [value for table in self.tables for value in table[column].to_pylist()]

    def location(self, row: int) -> str:
        """File and place of a row, for messages."""
        table, place = self.find(row)
        return f"{self.paths[table]}:{place}"

    def image(self, column: str, row: int) -> Image.Image:
        """Decode a picture as RGB.

        Raises:
            BrokenImageError: it cannot be decoded.
        """
        return load_rgb(io.BytesIO(self.cell(column, row)), f"{self.location(row)} {column}")


class NestedSamples:
    """Samples of which a row holds none, one or several.

    Args:
        counts: of every row.
    """

    def __init__(self, counts: Sequence[int]) -> None:
        self.starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    def __len__(self) -> int:
        """Number of samples."""
        return int(self.starts[-1])

    def find(self, index: int) -> tuple[int, int]:
        """Row of a sample, and its place there."""
        row = int(np.searchsorted(self.starts, index, side="right")) - 1
        return row, index - int(self.starts[row])


def expand(path: str, expected: str) -> list[str]:
    """Files of a pattern, in order of their names."""
    matches = sorted(glob.glob(path))
    if not matches:
        raise MissingFileError(f"{path} matches no file: expected {expected}. Is data_dir right?", path=Path(path))
    return matches


def open_table(path: str, columns: frozenset[str], expected: str) -> pa.Table:
    """Map one file."""
    try:
        table = pa.ipc.open_file(pa.memory_map(path, "r")).read_all()
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} is no Arrow IPC file ({error}): expected {expected}.") from error
    missing = columns - set(table.column_names)
    if missing:
        raise UserError(f"{path} lacks the columns {', '.join(sorted(missing))}: expected {expected}.")
    return table
