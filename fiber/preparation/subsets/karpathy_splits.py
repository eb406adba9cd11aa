"""A small file of Karpathy's splits."""

from collections.abc import Sequence
from pathlib import Path

from fiber.data.readers.files import read_json
from fiber.data.readers.karpathy import EXPECTED, KarpathyCaptions
from fiber.preparation.subsets.chosen_samples import ChosenSamples, grouped
from fiber.preparation.subsets.small_folder import SmallFolder


def write_karpathy(chosen: Sequence[ChosenSamples[KarpathyCaptions]], folder: SmallFolder) -> None:
    """Write the entries of the chosen images of every split to the one file."""
    for path, parts in grouped(chosen, lambda part: Path(part.arguments["annotation_file"])).items():
        ids = {part.reader.image_id(index) for part in parts for index in part.indices}
        content = read_json(path, expected=EXPECTED)
        images = [image for image in content["images"] if str(image.get("cocoid", image["filename"])) in ids]
        folder.write_json(path, {**content, "images": images})
