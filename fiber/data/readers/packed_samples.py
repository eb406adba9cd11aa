"""Samples of packed shards, found by their place in the tar files."""

import hashlib
import io
import json
import logging
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from fiber.data.readers.annotation_index import AnnotationIndex, IndexContent
from fiber.data.readers.files import load_rgb
from fiber.data.readers.packed_index import INDEX_FILE, Shard, ShardListing, finished_listing, shard_fault
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)

LAYOUT_VERSION = 1
"""Of `SampleRecord` and `MemberSample`."""
RECORD_SUFFIX = "json"
TEXT_SUFFIX = "txt"
"""The first caption, for readers of img2dataset's shards; not read here."""


class MemberSample(NamedTuple):
    """A sample in the json file of its images, which samples of the same images share."""

    place: int
    """In the data set."""
    size: tuple[int, int]
    """Height and width of the image as annotated; 0 0 where the annotations do not say."""
    record: dict[str, Any]


class SampleRecord(NamedTuple):
    """What the index keeps of a sample."""

    file: str
    """Name of the shard."""
    images: list[list[int]]
    """Offset and size in bytes of every image."""
    record: dict[str, Any]


class PackedSamples:
    """Samples of a folder of shards, in the order of the data set they were packed from.

    A shard that is missing or of another size than listed is left out as a whole: what lies before a cut could be read,
    but a copy that failed is to be mended, not made use of. Tar headers and json files are read once, into an index in
    the cache folder. Files are opened for each read, so that workers share none.

    Args:
        folder: holds `shards.json`.
        max_lost: share of the samples, in [0, 1], that may be in shards that are left out.

    Raises:
        UserError: there is no index, packing did not come to its end, more is lost, nothing is left, or a shard is
            damaged.
    """

    def __init__(self, folder: str, *, max_lost: float) -> None:
        self.folder = Path(folder)
        self.listing = finished_listing(self.folder)
        whole = whole_shards(self.folder, self.listing, max_lost=max_lost)
        self.index = AnnotationIndex(
            self.folder / INDEX_FILE,
            layout=f"packed samples {LAYOUT_VERSION}, {describe(self.folder, whole)}",
            build=partial(build_index, shards=whole),
        )

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.index)

    def sample(self, index: int) -> SampleRecord:
        """What the index keeps of a sample."""
        return SampleRecord(*self.index[index])

    def location(self, index: int) -> str:
        """Shard and offset of a sample's first image."""
        sample = self.sample(index)
        return f"{self.folder / sample.file}@{sample.images[0][0]}"

    def encoded_images(self, index: int) -> list[bytes]:
        """Content of the image files of a sample; empty where one was missing when it was packed."""
        sample = self.sample(index)
        contents = []
        with (self.folder / sample.file).open("rb") as file:
            for offset, size in sample.images:
                file.seek(offset)
                contents.append(file.read(size))
        return contents

    def load_images(self, index: int) -> list[Image.Image]:
        """Decode the images of a sample as RGB.

        Raises:
            BrokenImageError: one was missing when it was packed, or cannot be decoded.
        """
        location = self.location(index)
        return [load_rgb(io.BytesIO(content), location) for content in self.encoded_images(index)]


def whole_shards(folder: Path, listing: ShardListing, *, max_lost: float) -> list[tuple[int, Shard]]:
    """Shards of the listed size, each after its first sample; the others are named in the log.

    Raises:
        UserError: too many samples are in the others, or all.
    """
    whole, faults, lost = [], [], 0
    for start, shard in zip(listing.starts(), listing.shards, strict=True):
        fault = shard_fault(folder, shard)
        if fault is None:
            whole.append((start, shard))
            continue
        lost += shard.samples
        faults.append(f"{folder / shard.file} {fault}")
        log.warning("%s: its %d samples are left out", faults[-1], shard.samples)
    if lost > max_lost * listing.num_samples or not whole:
        allowed, remedy = "while models are judged on all samples", ""
        if max_lost:  # which the data files of training take from this key
            allowed, remedy = f"more than data.max_broken={max_lost:g} allows", "; or raise data.max_broken"
        raise UserError(
            f"{lost:,} of {listing.num_samples:,} samples of {folder} are lost, {allowed}: "
            f"{faults[0]}{f', and {len(faults) - 1} more' if faults[1:] else ''}. Copy the shards anew, or type the "
            f"command of prepare_data.py pack again, which mends them{remedy}."
        )
    return whole


def describe(folder: Path, shards: Sequence[tuple[int, Shard]]) -> str:
    """What changes when a shard does."""
    stamps = [(shard.file, shard.size, (folder / shard.file).stat().st_mtime_ns) for _, shard in shards]
    return hashlib.sha256(repr(stamps).encode()).hexdigest()[:16]


def build_index(index_file: Path, *, shards: Sequence[tuple[int, Shard]]) -> IndexContent:
    """Read headers and records of shards.

    Args:
        index_file: `shards.json`.
        shards: each after its first sample.

    Raises:
        UserError: one does not hold what is listed.
    """
    sizes: list[tuple[int, int]] = []
    caption_counts: list[int] = []
    records: list[str] = []  # as text, which takes a fraction of the memory
    for start, shard in shards:
        found = sorted(read_shard(index_file.parent / shard.file), key=lambda item: item[0].place)
        if [sample.place for sample, _ in found] != list(range(start, start + shard.samples)):
            raise damaged(index_file.parent / shard.file, "it does not hold the samples that are listed")
        for sample, images in found:
            sizes.append((sample.size[0], sample.size[1]))
            caption_counts.append(len(sample.record.get("captions", ())))
            records.append(json.dumps(SampleRecord(shard.file, images, sample.record)))
    return IndexContent(details=caption_counts, sizes=sizes, records=map(json.loads, records))


def read_shard(path: Path) -> Iterator[tuple[MemberSample, list[list[int]]]]:
    """Every sample with the places of its images.

    Raises:
        UserError: the file is no tar of such samples.
    """
    images: dict[str, list[list[int]]] = defaultdict(list)
    samples: dict[str, list[MemberSample]] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                if suffix == RECORD_SUFFIX:
                    content = tar.extractfile(member)
                    assert content is not None
                    samples[key] = [MemberSample(**sample) for sample in json.load(content)["samples"]]
                elif suffix != TEXT_SUFFIX:
                    images[key].append([member.offset_data, member.size])
    except (tarfile.TarError, TypeError, KeyError, ValueError) as error:
        raise damaged(path, repr(error)) from error
    for key, of_images in samples.items():
        for sample in of_images:
            yield sample, images[key]


def damaged(path: Path, reason: str) -> UserError:
    """The error about a shard of the listed size with another content."""
    return UserError(
        f"{path} is damaged ({reason}): delete it and type the command of prepare_data.py pack again, which mends it."
    )
