"""One shard: a tar file of images, each followed by the records of its samples."""

import dataclasses
import io
import json
import logging
import tarfile
from pathlib import Path
from typing import Any, BinaryIO

from fiber.data.readers.base import Reader
from fiber.data.readers.files import write_whole
from fiber.data.readers.packed import KINDS, find_kind
from fiber.data.readers.packed_index import SampleKind, Shard, ShardLimits, file_checksum
from fiber.data.readers.packed_records import CaptionRecord, to_json
from fiber.data.readers.packed_samples import RECORD_SUFFIX, TEXT_SUFFIX, MemberSample
from fiber.data.readers.task_readers import BoxReader
from fiber.preparation.image_suffixes import image_suffix
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)

MAX_NAMED = 5
"""Images named in the error about too many missing ones; more are only counted."""


@dataclasses.dataclass
class ImageGroup:
    """Images that are stored once, and all samples of a shard that are about them."""

    images: list[bytes]
    samples: list[MemberSample] = dataclasses.field(default_factory=list)
    text: str | None = None
    """First caption."""


@dataclasses.dataclass
class ShardContent:
    """What a shard is to hold."""

    groups: dict[str, ImageGroup] = dataclasses.field(default_factory=dict)
    """By the location of the images."""
    samples: int = 0
    image_bytes: int = 0
    missing: int = 0
    """Samples without their image."""

    def is_full(self, limits: ShardLimits) -> bool:
        """Whether it takes no further sample."""
        if not self.samples:
            return False
        full = limits.samples is not None and self.samples >= limits.samples
        return full or (limits.image_bytes is not None and self.image_bytes >= limits.image_bytes)


class ShardWriter:
    """Writes samples of a reader to shards.

    Args:
        reader: of the samples.
        folder: of the shards.
        num_samples: only the first so many samples are packed.
    """

    def __init__(self, reader: Reader, folder: Path, *, num_samples: int) -> None:
        self.reader, self.folder, self.num_samples = reader, folder, num_samples
        self.kind = find_kind(reader)
        self.record = KINDS[self.kind].record
        self.sizes = reader.sizes().tolist() if isinstance(reader, BoxReader) else None

    def write(
        self, number: int, start: int, limits: ShardLimits, *, may_miss: int, expected: Shard | None = None
    ) -> Shard:
        """Write one shard; it has its name once it is whole.

        Args:
            number: place among the shards.
            start: its first sample.
            limits: where it ends.
            may_miss: samples that may be without their image.
            expected: the shard as it was before it was damaged; None if it is new.

        Raises:
            UserError: more images are missing, the disk is full, or the shard is not what is expected.
        """
        content = self.collect(start, limits, may_miss=may_miss)
        path = self.folder / f"{number:06d}.tar"
        partial = path.with_name(f"{path.name}.part")

        def write_expected(file: BinaryIO) -> None:
            write_tar(file, content)
            file.flush()
            if expected is not None and file_checksum(partial) != expected.sha256:
                partial.unlink()
                raise UserError(
                    f"{path} cannot be mended: images of {self.reader.name} have changed since it was packed, and the "
                    f"other shards hold the old ones. Empty {self.folder} to pack all anew, or give another output."
                )

        try:
            write_whole(path, write_expected, partial=partial)
            checksum = file_checksum(path)
        except OSError as error:
            raise UserError(f"{path} cannot be written ({error}). The same command goes on from here.") from error
        return Shard(path.name, content.samples, path.stat().st_size, checksum, content.missing)

    def collect(self, start: int, limits: ShardLimits, *, may_miss: int) -> ShardContent:
        """Images and records of a shard. Arguments and errors as for `write`."""
        content = ShardContent()
        for index in range(start, self.num_samples):
            if content.is_full(limits):
                break
            location = self.reader.location(index)
            if location not in content.groups:
                images = self.read_images(index, location)
                content.groups[location] = ImageGroup(images)
                content.image_bytes += sum(map(len, images))
            group = content.groups[location]
            content.samples += 1
            content.missing += not all(group.images)
            record = self.record.of(self.reader, index)
            if isinstance(record, CaptionRecord):
                group.text = record.captions[0]
            size = (0, 0) if self.sizes is None else tuple(self.sizes[index])
            group.samples.append(MemberSample(index, size, to_json(record)))
        if content.missing > may_miss:
            raise self.too_many_missing(content, start)
        return content

    def too_many_missing(self, content: ShardContent, start: int) -> UserError:
        """The error about a shard that lacks more images than may be missing."""
        without = [location for location, group in content.groups.items() if not all(group.images)]
        more = f", and {len(without) - MAX_NAMED:,} more" if len(without) > MAX_NAMED else ""
        return UserError(
            f"{self.reader.name}: {', '.join(without[:MAX_NAMED])}{more} of samples {start:,} to "
            f"{start + content.samples - 1:,} cannot be read, more than max_broken allows: add them, or raise "
            "max_broken. The same command goes on from here; prepare_data.py verify names all that are missing."
        )

    def read_images(self, index: int, location: str) -> list[bytes]:
        """Image files of a sample; empty ones if they are missing."""
        try:
            return self.reader.encoded_images(index)
        except OSError as error:
            reason = error.strerror or str(error).removeprefix(f"{location}: ")
            log.warning("%s is packed without its image: %s", location, reason)
            return [b""] * (2 if self.kind is SampleKind.STATEMENTS else 1)


def write_tar(file: Any, content: ShardContent) -> None:
    """Write a shard, the same bytes whenever it is written.

    The members of a group are `KEY.jpg` (of pairs `KEY.0.jpg` and `KEY.1.jpg`), `KEY.json` and, of captions, `KEY.txt`;
    the key is the number of its first sample.
    """
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for group in content.groups.values():
            key = f"{group.samples[0].place:09d}"
            for side, image in enumerate(group.images):
                place = f".{side}" if len(group.images) > 1 else ""
                add_member(tar, f"{key}{place}.{image_suffix(image)}", image)
            records = json.dumps({"samples": [sample._asdict() for sample in group.samples]})
            add_member(tar, f"{key}.{RECORD_SUFFIX}", records.encode())
            if group.text is not None:
                add_member(tar, f"{key}.{TEXT_SUFFIX}", group.text.encode())


def add_member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
