"""WebDataset shards as img2dataset writes them: `00000.tar` with `key.jpg` and `key.txt` (CC3M, SBU, CC12M).

Shards lie on a disk and are read by position, not as a stream: order, resumption and the division among processes are
those of every other data set, exact, and no sample is seen twice.
"""

import glob
import hashlib
import io
import logging
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiber.data.readers.annotation_index import building, cache_folder
from fiber.data.readers.base import CaptionReader
from fiber.data.readers.files import MissingFileError, load_rgb, unique
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)

EXPECTED = "tar shards of img2dataset, with KEY.jpg and KEY.txt for every pair"
IMAGE_SUFFIXES = ("jpg", "jpeg", "png", "webp")


class ShardIndex(NamedTuple):
    """Places of one shard's pairs, in bytes."""

    image_offset: NDArray[np.int64]
    image_size: NDArray[np.int64]
    text_offset: NDArray[np.int64]
    text_size: NDArray[np.int64]


class WebDatasetPairs(CaptionReader):
    """Pairs of all shards, in order.

    The first use of a shard reads its headers once; the index is kept in the cache folder. It is renewed when the shard
    changes.

    Args:
        paths: shards or patterns such as `cc3m/*.tar`.

    Raises:
        UserError: a pattern that matches nothing, a file that is no tar, shards without a pair, or a cache folder that
            cannot be written.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.shards = [match for path in paths for match in expand(path)]
        indices = [shard_index(Path(shard)) for shard in self.shards]
        self.starts = np.concatenate([[0], np.cumsum([len(index.image_offset) for index in indices])])
        self.index = ShardIndex(*(np.concatenate(column) for column in zip(*indices, strict=True)))
        self.name = Path(self.shards[0]).parent.name
        if len(self) == 0:
            raise UserError(f"{', '.join(paths)}: the shards hold no pair: expected {EXPECTED}.")

    def shard(self, index: int) -> str:
        """File of a pair."""
        return self.shards[int(np.searchsorted(self.starts, index, side="right")) - 1]

    def read(self, index: int, offset: NDArray[np.int64], size: NDArray[np.int64]) -> bytes:
        """Bytes of one member."""
        with open(self.shard(index), "rb") as file:
            file.seek(int(offset[index]))
            return file.read(int(size[index]))

    def __len__(self) -> int:
        return int(self.starts[-1])

    def captions(self, index: int) -> Sequence[str]:
        text = self.read(index, self.index.text_offset, self.index.text_size)
        return unique([text.decode("utf-8", errors="replace")]) or ("",)

    def caption_counts(self) -> NDArray[np.int64]:
        return np.ones(len(self), dtype=np.int64)

    def image_id(self, index: int) -> str:
        return self.location(index)

    def location(self, index: int) -> str:
        return f"{self.shard(index)}@{int(self.index.image_offset[index])}"

    def encoded_images(self, index: int) -> list[bytes]:
        return [self.read(index, self.index.image_offset, self.index.image_size)]

    def load_image(self, index: int) -> Image.Image:
        (content,) = self.encoded_images(index)
        return load_rgb(io.BytesIO(content), self.location(index))


def expand(path: str) -> list[str]:
    """Shards of a pattern, in order of their names."""
    matches = sorted(glob.glob(path))
    if not matches:
        raise MissingFileError(f"{path} matches no file: expected {EXPECTED}. Is data_dir right?", path=Path(path))
    return matches


def shard_index(shard: Path) -> ShardIndex:
    """Index of one shard, read from its cache if that is newer than the shard."""
    status = shard.stat()
    stamp = np.array([status.st_size, status.st_mtime_ns])
    cache = index_path(shard)
    stored = read_cache(cache, stamp)
    if stored is None:
        with building(cache) as partial:
            stored = read_cache(cache, stamp)  # another process may have made it meanwhile
            if stored is None:
                stored = scan_shard(shard)
                with partial.open("wb") as file:
                    np.savez(file, stamp=stamp, **stored._asdict())
                partial.replace(cache)
    return stored


def read_cache(cache: Path, stamp: NDArray[np.int64]) -> ShardIndex | None:
    """An index that was kept; None if there is none of the same stamp."""
    if not cache.is_file():
        return None
    with np.load(cache) as stored:
        if not np.array_equal(stored["stamp"], stamp):
            return None
        return ShardIndex(*(stored[name] for name in ShardIndex._fields))


def index_path(shard: Path) -> Path:
    """Where a shard's index is kept."""
    key = hashlib.sha256(str(shard.absolute()).encode()).hexdigest()[:16]
    return cache_folder() / "shards" / f"{shard.stem}-{key}.npz"


def scan_shard(shard: Path) -> ShardIndex:
    """Read a shard's headers."""
    try:
        with tarfile.open(shard, "r:") as tar:
            members = {member.name: member for member in tar if member.isfile()}
    except tarfile.TarError as error:
        raise UserError(f"{shard} is no uncompressed tar ({error}): expected {EXPECTED}.") from error
    rows: list[Any] = []
    images = 0
    for name, image in members.items():
        key, _, suffix = name.rpartition(".")
        if suffix.lower() not in IMAGE_SUFFIXES:
            continue
        images += 1
        text = members.get(f"{key}.txt")
        if text is not None and text.size:
            rows.append((image.offset_data, image.size, text.offset_data, text.size))
    if images > len(rows):
        log.warning("%s: %d of %d images have no caption and are left out", shard, images - len(rows), images)
    return ShardIndex(*np.array(rows, dtype=np.int64).reshape(-1, 4).T)
