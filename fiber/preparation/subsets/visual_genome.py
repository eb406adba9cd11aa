"""A small file of Visual Genome's regions."""

from collections.abc import Sequence
from pathlib import Path

from fiber.data.readers.files import read_json
from fiber.data.readers.visual_genome import EXPECTED, VisualGenomeRegions, identify
from fiber.preparation.subsets.chosen_samples import ChosenSamples, grouped
from fiber.preparation.subsets.small_folder import SmallFolder


def write_visual_genome(chosen: Sequence[ChosenSamples[VisualGenomeRegions]], folder: SmallFolder) -> None:
    """Write the chosen images with all their regions."""
    for path, parts in grouped(chosen, lambda part: Path(part.arguments["annotation_file"])).items():
        ids = {part.reader.image_id(index) for part in parts for index in part.indices}
        content = read_json(path, expected=EXPECTED)
        folder.write_json(path, [image for image in content if str(identify(image)) in ids])
