"""Rows of large tab-separated files, found by an index of byte offsets."""

import mmap
from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.files import require_file
from fiber.utils.errors import UserError


class TsvFile:
    """A mapped file of rows, whose pages forked processes share.

    Offsets of row starts are read from the `.lineidx` file beside it, one decimal number per line; where there is none
    the whole file is searched for ends of lines, which takes long for one that holds images.

    Args:
        path: of the `.tsv` file.

    Raises:
        UserError: it is missing or empty, or its index is of another file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        require_file(self.path, expected="a tab-separated file")
        if not self.path.stat().st_size:
            raise UserError(f"{self.path} is empty.")
        with self.path.open("rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        index = self.path.with_suffix(".lineidx")
        self.offsets = read_numbers(index) if index.is_file() else find_rows(self.data)
        if not len(self.offsets) or self.offsets[0] != 0 or self.offsets[-1] >= len(self.data):
            raise UserError(f"{index} does not belong to {self.path}: delete it, or make it anew.")

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, row: int) -> list[str]:
        """Fields of a row, without blanks around them; bytes that are no UTF-8 become U+FFFD.

        Raises:
            UserError: the index is of another file.
        """
        start = int(self.offsets[row])
        if start and self.data[start - 1 : start] != b"\n":
            raise UserError(f"{self.path.with_suffix('.lineidx')} does not belong to {self.path}: make it anew.")
        end = self.data.find(b"\n", start)
        line = self.data[start : end if end >= 0 else len(self.data)]
        return [field.strip() for field in line.decode("utf-8", errors="replace").split("\t")]


def read_numbers(path: Path) -> NDArray[np.int64]:
    """Whole numbers, one a line.

    Raises:
        UserError: a line is no number.
    """
    try:
        return np.fromiter((int(line) for line in path.read_bytes().split()), dtype=np.int64)
    except ValueError as error:
        raise UserError(f"{path}: {error}: expected one whole number a line.") from error


def find_rows(data: mmap.mmap) -> NDArray[np.int64]:
    """Starts of all rows."""
    starts = array("q", [0])
    while (end := data.find(b"\n", starts[-1])) >= 0:
        starts.append(end + 1)
    if starts[-1] == len(data):
        starts.pop()
    return np.array(starts, dtype=np.int64)
