"""Small folders of packed shards."""

import dataclasses
from collections.abc import Sequence

from fiber.data.readers.packed import PackedReader
from fiber.data.readers.packed_index import Shard, file_checksum, write_listing
from fiber.data.readers.packed_samples import MemberSample
from fiber.preparation.shard_writer import ImageGroup, ShardContent, write_tar
from fiber.preparation.subsets.chosen_samples import ChosenSamples, grouped
from fiber.preparation.subsets.small_folder import SmallFolder


def write_packed(chosen: Sequence[ChosenSamples[PackedReader]], folder: SmallFolder) -> None:
    """Write the chosen samples of a folder as its only shard."""
    for packed, parts in grouped(chosen, lambda part: part.reader.samples.folder).items():
        reader = parts[0].reader
        content = small_shard(reader, sorted({index for part in parts for index in part.indices}))
        place = folder.new(packed / "000000.tar")
        with place.open("wb") as file:
            write_tar(file, content)
        shard = Shard(place.name, content.samples, place.stat().st_size, file_checksum(place), content.missing)
        listing = reader.samples.listing
        write_listing(dataclasses.replace(listing, num_samples=content.samples, shards=(shard,)), place.parent)


def small_shard(reader: PackedReader, indices: Sequence[int]) -> ShardContent:
    """Some samples, numbered anew, with their images."""
    content = ShardContent(samples=len(indices))
    sizes = reader.samples.index.sizes
    for place, index in enumerate(indices):
        location, record = reader.location(index), reader.samples.sample(index).record
        if location not in content.groups:
            text = record["captions"][0] if "captions" in record else None
            content.groups[location] = ImageGroup(reader.encoded_images(index), text=text)
        group = content.groups[location]
        content.missing += not all(group.images)
        height, width = sizes[index].tolist()
        group.samples.append(MemberSample(place, (height, width), record))
    return content
