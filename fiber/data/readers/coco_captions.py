"""COCO captions as published: `captions_{split}{year}.json` and a folder of images."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from fiber.data.readers.files import read_json, require_folder
from fiber.data.readers.image_list import CaptionedFile, ImageListReader
from fiber.utils.errors import UserError

EXPECTED = 'COCO captions: {"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}'


class CocoCaptions(ImageListReader):
    """Images with all their captions, in the order of the file.

    Args:
        annotation_file: such as `annotations/captions_train2017.json`.
        image_folder: where the file names of the annotation file lie.

    Raises:
        UserError: a missing file or folder, a file of another format, or no captioned image.
    """

    def __init__(self, annotation_file: str, *, image_folder: str) -> None:
        path, folder = Path(annotation_file), Path(image_folder)
        content = read_json(path, expected=EXPECTED)
        check_format(content, path)
        require_folder(folder, expected=f"the images of {path.name}")
        captions: dict[int, list[str]] = defaultdict(list)
        for annotation in content["annotations"]:
            captions[annotation["image_id"]].append(annotation["caption"])
        files = [
            CaptionedFile(str(image["id"]), str(folder / image["file_name"]), tuple(captions[image["id"]]))
            for image in content["images"]
        ]
        super().__init__(f"COCO captions {path.stem}", files=files, origin=path)


def check_format(content: Any, path: Path) -> None:
    """Raise a UserError if this is another kind of file."""
    if not isinstance(content, dict) or not {"images", "annotations"} <= set(content):
        raise UserError(f"{path} is of another format: expected {EXPECTED}.")
    if content["annotations"] and "caption" not in content["annotations"][0]:
        kind = "COCO boxes (instances)" if "bbox" in content["annotations"][0] else "no captions"
        raise UserError(f"{path} holds {kind}: expected {EXPECTED}, such as captions_train2017.json.")
