"""Any data set as WebDataset shards: few large files in place of many small ones."""

import dataclasses
import hashlib
import json
from pathlib import Path

from omegaconf import DictConfig

from fiber.data.readers.base import CaptionReader, Reader
from fiber.data.readers.packed import KINDS, find_kind
from fiber.data.readers.packed_index import (
    INDEX_FILE,
    ShardLimits,
    ShardListing,
    SourceFacts,
    read_listing,
    shard_fault,
    write_listing,
)
from fiber.data.readers.packed_records import to_json
from fiber.data.readers.task_readers import DetectionReader, FederatedReader, QuestionReader, ReferringReader
from fiber.preparation.data_splits import chosen_set
from fiber.preparation.options import make_folder, positive, required_output, share
from fiber.preparation.progress import bar, quantity, shown
from fiber.preparation.shard_writer import ShardWriter
from fiber.utils.configs import convert
from fiber.utils.errors import UserError

MEGABYTE = 1_000_000


def pack(config: DictConfig) -> None:
    """Pack one set of samples.

    Args:
        config: composed from `configs/prepare_data.yaml`: `split` and `set_number` of `data`, its first `max_samples`,
            the folder `output`, and the size of shards.

    Raises:
        UserError: no `output`, no such split or set, limits that are no positive numbers, a share outside of [0, 1], or
            what `pack_shards` says.
        KeyboardInterrupt: Ctrl-C; it says what is kept.
    """
    output = required_output(config)
    limits = ShardLimits(
        positive(config, "samples_per_shard"),
        None if (megabytes := positive(config, "shard_megabytes")) is None else megabytes * MEGABYTE,
    )
    max_samples = positive(config, "max_samples")
    max_broken, check = share(config, "max_broken"), convert(bool, config.check, "check")
    reader = chosen_set(config).build()
    try:
        listing = pack_shards(
            reader, Path(output), limits=limits, max_samples=max_samples, max_broken=max_broken, check=check
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(kept(Path(output))) from None
    size = sum(shard.size for shard in listing.shards) / MEGABYTE
    missing = sum(shard.missing for shard in listing.shards)
    without = f", {missing:,} of them without their image" if missing else ""
    packed = f"{quantity(listing.num_samples, 'sample')}{without} in {quantity(len(listing.shards), 'shard')}"
    print(f"{packed}, {size:,.1f} MB: {output}")


def kept(folder: Path) -> str:
    """What an interrupted command leaves."""
    shards = len(read_listing(folder).shards) if (folder / INDEX_FILE).is_file() else 0
    return f"{quantity(shards, 'shard')} kept in {folder}; the same command goes on from here"


def pack_shards(
    reader: Reader,
    folder: Path,
    *,
    limits: ShardLimits,
    max_samples: int | None = None,
    max_broken: float = 0.0,
    check: bool = False,
) -> ShardListing:
    """Write what is not yet in a folder: shards that are listed and whole stay, others are written anew as they were.

    Images are stored as they are, once per shard, whatever number of its samples is about them. The order of the
    samples is that of the reader.

    Args:
        reader: of the samples.
        folder: made if need be.
        limits: of every shard.
        max_samples: only the first so many samples; None = all.
        max_broken: share of the samples, in [0, 1], whose image may be missing. Later readers find it broken.
        check: compare checksums of the shards that are there, not their sizes alone.

    Returns:
        The index of the folder.

    Raises:
        UserError: the folder holds something else, shards of other data or limits, or of annotations or images that
            have changed since; too many images are missing; or the disk is full.
    """
    num_samples = len(reader) if max_samples is None else min(max_samples, len(reader))
    make_folder(folder)
    require_own(folder)
    listing = begin(folder, describe(reader, num_samples, limits))
    writer = ShardWriter(reader, folder, num_samples=num_samples)
    allowed = int(max_broken * num_samples)
    with bar("packing", total=num_samples) as advance:
        for place, start in enumerate(listing.starts()):
            shard = listing.shards[place]
            if shard_fault(folder, shard, checksum=check) is not None:
                others = sum(one.missing for one in listing.shards) - shard.missing
                exactly = ShardLimits(shard.samples, None)
                writer.write(place, start, exactly, may_miss=allowed - others, expected=shard)
            advance(shard.samples)
        while listing.num_packed < num_samples:
            may_miss = allowed - sum(one.missing for one in listing.shards)
            added = writer.write(len(listing.shards), listing.num_packed, limits, may_miss=may_miss)
            listing = save(dataclasses.replace(listing, shards=(*listing.shards, added)), folder)
            advance(added.samples)
    return listing


def save(listing: ShardListing, folder: Path) -> ShardListing:
    """Write the index of a folder, and return it.

    Raises:
        UserError: it cannot be written.
    """
    try:
        write_listing(listing, folder)
    except OSError as error:
        raise UserError(f"{folder / INDEX_FILE} cannot be written ({error.strerror}): give another output.") from error
    return listing


def begin(folder: Path, wanted: ShardListing) -> ShardListing:
    """The index that a folder has, or a new one without shards.

    Raises:
        UserError: the folder holds shards of other data or other limits, or of annotations that have changed since.
    """
    if not (folder / INDEX_FILE).is_file():
        return save(wanted, folder)
    found = read_listing(folder)
    remedy = "empty the folder, or give another output."
    if identity(found) != identity(wanted):
        raise UserError(
            f"{folder} holds shards of {found.name} ({found.num_samples:,} samples of {found.reader}), other data "
            f"than {wanted.name} ({wanted.num_samples:,} samples of {wanted.reader}): {remedy}"
        )
    if found.limits != wanted.limits:
        raise UserError(
            f"{folder} holds shards of {limits_text(found.limits)}: give these, not {limits_text(wanted.limits)}; or "
            f"{remedy}"
        )
    if (found.facts, found.records) != (wanted.facts, wanted.records):
        raise UserError(
            f"{folder} holds shards of {found.name} as its annotations were, which have changed since: {remedy}"
        )
    return found


def identity(listing: ShardListing) -> tuple[object, ...]:
    """What tells data sets apart."""
    return listing.kind, listing.name, listing.reader, listing.num_samples


def limits_text(limits: ShardLimits) -> str:
    """As they are typed."""
    samples = "null" if limits.samples is None else limits.samples
    megabytes = "null" if limits.image_bytes is None else f"{limits.image_bytes / MEGABYTE:g}"
    return f"samples_per_shard={samples} shard_megabytes={megabytes}"


def require_own(folder: Path) -> None:
    """Raise a UserError if a folder holds something, but no earlier shards."""
    others = {path.name for path in folder.iterdir()} - {f"{INDEX_FILE}.part"}
    if others and INDEX_FILE not in others:
        raise UserError(
            f"output={folder} holds other files, such as {min(others)}, and no {INDEX_FILE} of earlier shards: give a "
            "new or an empty folder."
        )


def describe(reader: Reader, num_samples: int, limits: ShardLimits) -> ShardListing:
    """The index of a reader's samples, none of them packed."""
    kind = find_kind(reader)
    facts = SourceFacts(texts=None if type(reader).texts is KINDS[kind].protocol.texts else tuple(reader.texts()))
    if isinstance(reader, CaptionReader):
        facts = dataclasses.replace(facts, blank_images=tuple(reader.blank_images))
    if isinstance(reader, QuestionReader) and reader.known_answers is not None:
        facts = dataclasses.replace(facts, known_answers=tuple(reader.known_answers))
    if isinstance(reader, ReferringReader):
        facts = dataclasses.replace(facts, dataset=reader.dataset)
    if isinstance(reader, DetectionReader):
        facts = dataclasses.replace(
            facts,
            classes=tuple(reader.classes),
            category_ids=tuple(reader.category_ids),
            class_prompts=tuple(reader.class_prompts),
        )
    if isinstance(reader, FederatedReader):
        facts = dataclasses.replace(facts, frequencies=tuple(reader.frequencies))
    name = f"{type(reader).__module__}.{type(reader).__qualname__}"
    return ShardListing(kind, reader.name, name, num_samples, facts, records_digest(reader, num_samples), limits)


def records_digest(reader: Reader, num_samples: int) -> str:
    """SHA-256 of what is packed of samples beside their images."""
    record, digest = KINDS[find_kind(reader)].record, hashlib.sha256()
    for index in shown(range(num_samples), f"reading {reader.name}", total=num_samples):
        digest.update(json.dumps(to_json(record.of(reader, index))).encode())
    return digest.hexdigest()
