"""Any data set as WebDataset shards: few large files in place of many small ones."""

import dataclasses
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import Progress

from fiber.data.readers.base import CaptionReader, Reader
from fiber.data.readers.packed import KINDS, find_kind
from fiber.data.readers.packed_index import (
    INDEX_FILE,
    ShardListing,
    SourceFacts,
    read_listing,
    shard_fault,
    write_listing,
)
from fiber.data.readers.task_readers import DetectionReader, FederatedReader, QuestionReader, ReferringReader
from fiber.preparation.data_splits import chosen_set
from fiber.preparation.options import positive, required_output
from fiber.preparation.shard_writer import ShardLimits, ShardWriter
from fiber.utils.configs import convert
from fiber.utils.errors import UserError

MEGABYTE = 1_000_000


def pack(config: DictConfig) -> None:
    """Pack one set of samples.

    Args:
        config: composed from `configs/prepare_data.yaml`: `split` and `set_number` of `data`, its first `max_samples`,
            the folder `output`, and the size of shards.

    Raises:
        UserError: no `output`, no such split or set, limits that are no positive numbers, or what `pack_shards` says.
    """
    output = required_output(config)
    limits = ShardLimits(
        positive(config, "samples_per_shard"),
        None if (megabytes := positive(config, "shard_megabytes")) is None else megabytes * MEGABYTE,
    )
    max_samples = positive(config, "max_samples")
    listing = pack_shards(
        chosen_set(config).build(),
        Path(output),
        limits=limits,
        max_samples=max_samples,
        max_broken=convert(float, config.max_broken, "max_broken"),
        check=convert(bool, config.check, "check"),
    )
    size = sum(shard.size for shard in listing.shards) / MEGABYTE
    missing = sum(shard.missing for shard in listing.shards)
    without = f", {missing:,} of them without their image" if missing else ""
    print(f"{listing.num_samples:,} samples{without} in {len(listing.shards):,} shards, {size:,.1f} MB: {output}")


def pack_shards(
    reader: Reader,
    folder: Path,
    *,
    limits: ShardLimits,
    max_samples: int | None = None,
    max_broken: float = 0.0,
    check: bool = False,
) -> ShardListing:
    """Write what is not yet in a folder: shards that are listed and whole stay, those that are not are written anew.

    Images are stored as they are, once per shard, whatever number of its samples is about them. The order of the
    samples is that of the reader.

    Args:
        reader: of the samples.
        folder: made if need be.
        limits: of new shards.
        max_samples: only the first so many samples; None = all.
        max_broken: share of the samples, in [0, 1], whose image may be missing. Later readers find it broken.
        check: compare checksums of the shards that are there, not their sizes alone.

    Returns:
        The index of the folder.

    Raises:
        UserError: the folder holds shards of other data, too many images are missing, or the disk is full.
    """
    num_samples = len(reader) if max_samples is None else min(max_samples, len(reader))
    writer = ShardWriter(reader, folder, num_samples=num_samples)
    listing = begin(folder, describe(reader, num_samples))
    allowed = int(max_broken * num_samples)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("packing", total=num_samples)
        for number, start in enumerate(listing.starts()):
            shard = listing.shards[number]
            if shard_fault(folder, shard, checksum=check) is not None:
                others = sum(one.missing for one in listing.shards) - shard.missing
                exactly = ShardLimits(shard.samples, None)
                anew = writer.write(number, start, exactly, may_miss=allowed - others)
                shards = (*listing.shards[:number], anew, *listing.shards[number + 1 :])
                listing = save(dataclasses.replace(listing, shards=shards), folder)
            progress.advance(task, shard.samples)
        while listing.num_packed < num_samples:
            may_miss = allowed - sum(one.missing for one in listing.shards)
            added = writer.write(len(listing.shards), listing.num_packed, limits, may_miss=may_miss)
            listing = save(dataclasses.replace(listing, shards=(*listing.shards, added)), folder)
            progress.advance(task, added.samples)
    return listing


def save(listing: ShardListing, folder: Path) -> ShardListing:
    """Write the index of a folder, and return it."""
    write_listing(listing, folder)
    return listing


def begin(folder: Path, wanted: ShardListing) -> ShardListing:
    """The index that a folder has, or a new one without shards.

    Raises:
        UserError: the folder cannot be made, or holds shards of other data.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"output={folder} cannot be made a folder ({error}): give another output.") from error
    if (folder / INDEX_FILE).is_file():
        found = read_listing(folder)
        if dataclasses.replace(found, shards=()) != wanted:
            raise UserError(
                f"{folder} holds shards of {found.name} ({found.num_samples:,} samples of {found.reader}), other data "
                f"than {wanted.name} ({wanted.num_samples:,} samples of {wanted.reader}): empty the folder, or give "
                "another output."
            )
        return found
    if any(folder.glob("*.tar")):
        raise UserError(f"{folder} holds shards without {INDEX_FILE}: empty the folder, or give another output.")
    return save(wanted, folder)


def describe(reader: Reader, num_samples: int) -> ShardListing:
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
    return ShardListing(kind, reader.name, name, num_samples, facts)
