"""Karpathy's splits of COCO and Flickr30k: `dataset_coco.json`, `dataset_flickr30k.json`."""

from pathlib import Path
from typing import Any

from fiber.data.readers.base import UnknownSplitError
from fiber.data.readers.files import read_json, require_folder
from fiber.data.readers.image_list import CaptionedFile, ImageListReader
from fiber.utils.errors import UserError

EXPECTED = 'Karpathy\'s splits: {"images": [{"filename", "split", "sentences": [{"raw"}]}]}'


class KarpathyCaptions(ImageListReader):
    """Images of one split, or of several joined with `+` (`train+restval`).

    Images are identified by COCO's number, or by their file name as in Flickr30k's own files.

    Args:
        annotation_file: `dataset_coco.json` or `dataset_flickr30k.json`.
        image_folder: holds `train2014/` and `val2014/` for COCO, the images themselves for Flickr30k.
        split: `train`, `restval` (COCO), `val` or `test`.

    Raises:
        UserError: a missing file or folder, a file of another format, a split that the file does not know, or an empty
            one.
    """

    def __init__(self, annotation_file: str, *, image_folder: str, split: str) -> None:
        path, folder = Path(annotation_file), Path(image_folder)
        content = read_json(path, expected=EXPECTED)
        if not isinstance(content, dict) or not is_karpathy(content.get("images")):
            raise UserError(f"{path} is of another format: expected {EXPECTED}.")
        require_folder(folder, expected=f"the images of {path.name}")
        wanted = set(split.split("+"))
        known = {image["split"] for image in content["images"]}
        if not wanted <= known:
            raise UnknownSplitError(f"{path} has no split {split!r}: it holds {', '.join(sorted(known))}.")
        files = [
            CaptionedFile(
                str(image.get("cocoid", image["filename"])),
                str(folder / image.get("filepath", "") / image["filename"]),
                tuple(sentence["raw"] for sentence in image["sentences"]),
            )
            for image in content["images"]
            if image["split"] in wanted
        ]
        super().__init__(f"{path.stem} {split}", files=files, origin=path)
        parts = {image["filename"]: image["split"] for image in content["images"]}
        self.parts = [parts[Path(file.path).name] for file in self.files]
        """Of `split`, that every image belongs to."""


def is_karpathy(images: Any) -> bool:
    """Whether this looks like the list of images of Karpathy's files."""
    return isinstance(images, list) and bool(images) and {"filename", "split", "sentences"} <= set(images[0])
