"""Small files in COCO's layout: captions, boxes, LVIS, ODinW, and captions with boxes as MDETR has them."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from fiber.data.readers.coco_captions import EXPECTED, CocoCaptions
from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.readers.files import read_json
from fiber.data.readers.mdetr_grounding import MdetrGrounding
from fiber.preparation.subsets.chosen_samples import ChosenSamples, grouped
from fiber.preparation.subsets.small_folder import SmallFolder

CocoReader = CocoCaptions | CocoDetection | MdetrGrounding


def write_coco_layout(chosen: Sequence[ChosenSamples[CocoReader]], folder: SmallFolder) -> None:
    """Write the entries of the chosen images with all their annotations."""
    for path, parts in grouped(chosen, annotation_file).items():
        ids = {part.reader.image_id(index) for part in parts for index in part.indices}
        folder.write_json(path, of_images(read_json(path, expected=EXPECTED), ids))


def annotation_file(chosen: ChosenSamples[CocoReader]) -> Path:
    """That a reader was built from."""
    if isinstance(chosen.reader, CocoCaptions):
        return Path(chosen.arguments["annotation_file"])
    return chosen.reader.annotation_file


def of_images(content: dict[str, Any], ids: Collection[str]) -> dict[str, Any]:
    """A file with some of its images, their annotations, and everything else as it is.

    Args:
        content: in COCO's layout.
        ids: of the images, as text.
    """
    small = {**content, "images": [image for image in content["images"] if str(image["id"]) in ids]}
    if content.get("annotations"):  # missing or null in the files of test sets
        small["annotations"] = [one for one in content["annotations"] if str(one["image_id"]) in ids]
    return small
