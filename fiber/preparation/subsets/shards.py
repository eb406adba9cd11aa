"""Small WebDataset shards."""

import tarfile
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

from fiber.data.readers.webdataset import WebDatasetPairs
from fiber.preparation.subsets.chosen_samples import ChosenSamples
from fiber.preparation.subsets.small_folder import SmallFolder


def write_shards(chosen: Sequence[ChosenSamples[WebDatasetPairs]], folder: SmallFolder) -> None:
    """Write every shard with the chosen pairs alone, all files of a pair; shards without one are written empty."""
    offsets: dict[str, set[int]] = defaultdict(set)
    for part in chosen:
        for shard in part.reader.shards:
            offsets[shard] |= set()
        for index in part.indices:
            offsets[part.reader.shard(index)].add(int(part.reader.index.image_offset[index]))
    for shard, images in offsets.items():
        write_shard(Path(shard), images, folder.new(shard))


def write_shard(shard: Path, images: Collection[int], place: Path) -> None:
    """Write the files of some pairs, unchanged and in order.

    Args:
        shard: of all pairs.
        images: places of their images in bytes.
        place: of the small shard.
    """
    with tarfile.open(shard, "r:") as whole, tarfile.open(place, "w:") as small:
        members = [member for member in whole if member.isfile()]
        keys = {key_of(member) for member in members if member.offset_data in images}
        for member in members:
            if key_of(member) in keys:
                small.addfile(member, whole.extractfile(member))


def key_of(member: tarfile.TarInfo) -> str:
    """What the names of a pair's files share."""
    return member.name.rpartition(".")[0]
