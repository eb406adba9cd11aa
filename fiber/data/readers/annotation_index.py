"""Annotation files that are parsed once and afterwards mapped into memory.

Parsing the json of a million images takes minutes and gigabytes, in every process. An index holds one short record per
image, each of which is decoded when asked for: opening it takes milliseconds, and processes share its pages.

An index is one file: `MAGIC`, length of the header, header (json), then `sizes` (N, 2), `offsets` (N + 1) and the
records (json). It lies in the cache folder, since data are often read-only, and is written to a temporary name and then
renamed: readers meet a whole index or none.
"""

import contextlib
import hashlib
import json
import os
import struct
import sys
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.files import MissingFileError, write_whole
from fiber.utils.errors import UserError

if sys.platform != "win32":
    import fcntl

MAGIC = b"FIBERIDX"
FORMAT_VERSION = 1
PREAMBLE = struct.Struct("<8sQ")
"""Magic and length of the header."""
ALIGNMENT = 8


class IndexContent(NamedTuple):
    """What a reader keeps of an annotation file."""

    details: Any
    """Facts of the whole file, such as class names: json, kept in memory."""
    sizes: Sequence[tuple[int, int]]
    """Height and width of every image, 0 0 where unknown."""
    records: Iterable[Any]
    """One per image: json."""


class AnnotationIndex:
    """Records of an annotation file.

    Pickling one pickles the path; the copy maps the index anew.

    Args:
        source: the annotation file.
        layout: name of what `build` makes; to be changed whenever that changes.
        build: parses the file, called only if there is no index of this layout that fits the file's size and time of
            change. A function that can be pickled.

    Raises:
        UserError: there is no such file, or the cache folder cannot be written.
    """

    def __init__(self, source: Path, *, layout: str, build: Callable[[Path], IndexContent]) -> None:
        self.source = source
        self.layout = layout
        self.build = build
        self.open()

    def open(self) -> None:
        """Map the index; made first if need be."""
        if not self.source.is_file():
            raise MissingFileError(f"{self.source} does not exist. Is data_dir right?", path=self.source)
        path = index_path(self.source, self.layout)
        opened = self.map(path)
        if opened is None:
            with building(path) as partial:
                opened = self.map(path)  # another process may have made it meanwhile
                if opened is None:
                    write_index(partial, path, stamp(self.source, self.layout), self.build(self.source))
                    opened = self.map(path)
        if opened is None:
            raise UserError(f"{self.source} was changed while it was read: start again.")
        self.path = path
        self.details, self.sizes, self.offsets, self.blob = opened

    def map(self, path: Path) -> tuple[Any, NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]] | None:
        """Details, sizes, offsets and records of an index; None if it is missing, damaged or of another source."""
        if not path.is_file() or path.stat().st_size < PREAMBLE.size:
            return None
        data = np.memmap(path, mode="r").view(np.ndarray)
        magic, length = PREAMBLE.unpack(data[: PREAMBLE.size].tobytes())
        if magic != MAGIC or PREAMBLE.size + length > len(data):
            return None
        start = PREAMBLE.size + length
        try:
            header = json.loads(data[PREAMBLE.size : start].tobytes())
        except ValueError:
            return None
        if header["stamp"] != stamp(self.source, self.layout) or header["bytes"] != len(data) - start:
            return None
        count = header["count"]
        arrays, blob = np.split(data[start:], [8 * (3 * count + 1)])
        if zlib.crc32(arrays.data) != header["checksum"]:
            return None
        numbers = arrays.view(np.int64)
        return header["details"], numbers[: 2 * count].reshape(count, 2), numbers[2 * count :], blob

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> Any:
        """Record of an image; lists where there were tuples.

        Raises:
            UserError: the record was damaged on disk.
        """
        begin, end = self.offsets[index].item(), self.offsets[index + 1].item()
        try:
            return json.loads(self.blob[begin:end].tobytes())
        except ValueError as error:
            raise UserError(f"{self.path} is damaged ({error}): delete it, it will be made anew.") from error

    def __getstate__(self) -> dict[str, Any]:
        return {"source": self.source, "layout": self.layout, "build": self.build}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.open()


def cache_folder() -> Path:
    """`$FIBER_CACHE` if set, else `fiber` in the user's cache folder."""
    if own := os.environ.get("FIBER_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fiber"


def index_path(source: Path, layout: str) -> Path:
    """Where the index of a file lies: the same for every version of the file, so that a new one replaces the old."""
    key = hashlib.sha256(f"{source.absolute()}\n{layout}".encode()).hexdigest()[:16]
    return cache_folder() / "annotations" / f"{source.stem}-{key}.index"


def stamp(source: Path, layout: str) -> list[Any]:
    """What an index must agree in with its source."""
    status = source.stat()
    return [FORMAT_VERSION, layout, str(source.absolute()), status.st_size, status.st_mtime_ns]


@contextlib.contextmanager
def building(path: Path) -> Iterator[Path]:
    """A temporary file to write to, one process at a time; the others wait.

    The lock goes with its process, so that a crash leaves none behind.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("ab")
    except OSError as error:
        raise UserError(f"No index can be kept in {path.parent} ({error}): set FIBER_CACHE to a folder.") from error
    with lock:
        if acquire(lock):
            for left in path.parent.glob(f"{path.stem}.*.partial"):  # of processes that were killed
                left.unlink(missing_ok=True)
        partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")
        try:
            yield partial
        finally:
            partial.unlink(missing_ok=True)


def acquire(lock: BinaryIO) -> bool:
    """Wait for a lock; False where there are none (some network file systems): all build, and the last rename wins."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
            return True
    return False


def write_index(partial: Path, path: Path, source_stamp: list[Any], content: IndexContent) -> None:
    """Write an index to `partial`, then give it its name.

    Raises:
        UserError: the disk is full.
    """
    records = [json.dumps(record, separators=(",", ":")).encode() for record in content.records]
    sizes = np.array(content.sizes, dtype=np.int64).reshape(-1, 2)
    assert len(records) == len(sizes)
    offsets = np.concatenate([[0], np.cumsum([len(record) for record in records], dtype=np.int64)]).astype(np.int64)
    arrays = sizes.tobytes() + offsets.tobytes()
    header = {
        "stamp": source_stamp,
        "details": content.details,
        "count": len(records),
        "checksum": zlib.crc32(arrays),
        "bytes": len(arrays) + int(offsets[-1]),
    }
    encoded = json.dumps(header).encode()
    encoded += b" " * (-(PREAMBLE.size + len(encoded)) % ALIGNMENT)
    parts = [PREAMBLE.pack(MAGIC, len(encoded)), encoded, arrays, *records]
    try:
        write_whole(path, lambda file: file.writelines(parts), partial=partial)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error}): set FIBER_CACHE to a folder with room.") from error
