"""`shards.json`: what a folder of packed shards holds, and whether it is all there."""

import dataclasses
import hashlib
import json
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from fiber.data.readers.files import read_json, write_whole
from fiber.detection.prompts import ClassPrompt
from fiber.utils.errors import UserError

INDEX_FILE = "shards.json"
EXPECTED = "the index that prepare_data.py pack writes beside its shards"
FORMAT_VERSION = 2
CHUNK = 1 << 20


class SampleKind(StrEnum):
    """What the samples are, by the protocol of their reader."""

    CAPTIONS = "captions"
    QUESTIONS = "questions"
    STATEMENTS = "statements"
    PHRASES = "phrases"
    REFERRING = "referring expressions"
    ENTITIES = "phrases of types"
    OBJECTS = "objects"
    FEDERATED = "objects of some classes per image"


class ShardLimits(NamedTuple):
    """A shard is full at whichever it reaches first; None = no limit."""

    samples: int | None
    image_bytes: int | None


class Shard(NamedTuple):
    """One tar file."""

    file: str
    """Name in the folder."""
    samples: int
    size: int
    """In bytes."""
    sha256: str
    missing: int
    """Samples whose image was missing when they were packed: it is an empty member."""


@dataclasses.dataclass(frozen=True)
class SourceFacts:
    """What a reader knows beside its samples, each where its kind has it."""

    blank_images: tuple[str, ...] = ()
    known_answers: tuple[str, ...] | None = None
    dataset: str | None = None
    classes: tuple[str, ...] = ()
    category_ids: tuple[int, ...] = ()
    class_prompts: tuple[str | ClassPrompt, ...] = ()
    frequencies: tuple[str, ...] = ()
    texts: tuple[str, ...] | None = None
    """To train a tokeniser on, where those are not the samples' own."""


@dataclasses.dataclass(frozen=True)
class ShardListing:
    """Content of `shards.json`."""

    kind: SampleKind
    name: str
    """Of the data set."""
    reader: str
    """Class of the reader that was packed."""
    num_samples: int
    """Of the whole data set, packed or not yet."""
    facts: SourceFacts
    records: str
    """SHA-256 of what the source says of its samples beside their images, in hexadecimal digits."""
    limits: ShardLimits
    """Of every shard."""
    shards: tuple[Shard, ...] = ()

    @property
    def num_packed(self) -> int:
        """Samples in the listed shards."""
        return sum(shard.samples for shard in self.shards)

    def starts(self) -> list[int]:
        """First sample of every shard."""
        starts = [0]
        for shard in self.shards:
            starts.append(starts[-1] + shard.samples)
        return starts[:-1]


def read_listing(folder: Path) -> ShardListing:
    """Content of the index of a folder.

    Raises:
        UserError: there is none, or it is of another format.
    """
    path = folder / INDEX_FILE
    content = read_json(path, expected=EXPECTED)
    try:
        if content.pop("version") != FORMAT_VERSION:
            raise UserError(f"{path} is of another version of this format: pack the data again.")
        facts: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in content["facts"].items()
        }
        prompts = facts.get("class_prompts", ())
        facts["class_prompts"] = tuple(one if isinstance(one, str) else ClassPrompt(*one) for one in prompts)
        return ShardListing(
            **content
            | {
                "kind": SampleKind(content["kind"]),
                "facts": SourceFacts(**facts),
                "limits": ShardLimits(**content["limits"]),
                "shards": tuple(Shard(**shard) for shard in content["shards"]),
            }
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is of another format ({error!r}): expected {EXPECTED}.") from error


def write_listing(listing: ShardListing, folder: Path) -> None:
    """Write the index of a folder."""
    facts = {key: value for key, value in vars(listing.facts).items() if value not in ((), None)}
    content = {"version": FORMAT_VERSION} | vars(listing)
    content |= {
        "facts": facts,
        "limits": listing.limits._asdict(),
        "shards": [shard._asdict() for shard in listing.shards],
    }
    text = json.dumps(content, indent=1) + "\n"
    write_whole(folder / INDEX_FILE, lambda file: file.write(text.encode()))


def shard_fault(folder: Path, shard: Shard, *, checksum: bool = False) -> str | None:
    """What is wrong with a shard; None if nothing is.

    Args:
        folder: of the shards.
        shard: as listed.
        checksum: read the whole file and compare its SHA-256; else its size alone.
    """
    path = folder / shard.file
    if not path.is_file():
        return "is missing"
    size = path.stat().st_size
    if size != shard.size:
        return f"has {size:,} bytes of {shard.size:,}"
    if checksum and file_checksum(path) != shard.sha256:
        return "has another checksum than when it was packed"
    return None


def shard_faults(folder: Path, listing: ShardListing, *, checksum: bool) -> dict[Path, str]:
    """What is wrong, by shard; nothing of those that are whole. Arguments as for `shard_fault`."""
    faults = {folder / shard.file: shard_fault(folder, shard, checksum=checksum) for shard in listing.shards}
    return {path: fault for path, fault in faults.items() if fault is not None}


def finished_listing(folder: Path) -> ShardListing:
    """The index of a folder whose packing came to its end.

    Raises:
        UserError: there is no index, or it lists fewer samples than the data set has.
    """
    listing = read_listing(folder)
    if listing.num_packed < listing.num_samples:
        raise UserError(
            f"{folder}: only {listing.num_packed:,} of {listing.num_samples:,} samples are packed: type the command of "
            "prepare_data.py pack again, it goes on where it stopped."
        )
    return listing


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
