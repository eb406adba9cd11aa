"""A small folder of Flickr30k Entities."""

from collections.abc import Sequence

from fiber.data.readers.flickr30k_entities import Flickr30kEntities
from fiber.preparation.subsets.chosen_samples import ChosenSamples, grouped
from fiber.preparation.subsets.small_folder import SmallFolder


def write_entities(chosen: Sequence[ChosenSamples[Flickr30kEntities]], folder: SmallFolder) -> None:
    """Write lists of the chosen pictures, and copy what is annotated of them."""
    for split_file, parts in grouped(chosen, lambda part: part.reader.index.source).items():
        wanted = {part.reader.picture_id(index) for part in parts for index in part.indices}
        pictures = [picture for picture in split_file.read_text(encoding="utf-8").split() if picture in wanted]
        folder.write_lines(split_file, pictures)
        for picture in pictures:
            folder.copy(split_file.parent / "Sentences" / f"{picture}.txt")
            folder.copy(split_file.parent / "Annotations" / f"{picture}.xml")
