"""Visual Genome regions: every region's phrase is a caption of its image."""

from pathlib import Path
from typing import Any

from fiber.data.readers.files import read_json, require_folder
from fiber.data.readers.image_list import CaptionedFile, ImageListReader
from fiber.utils.errors import UserError

EXPECTED = 'Visual Genome\'s region_descriptions.json: [{"id", "regions": [{"image_id", "phrase"}]}]'
FOLDERS = ("VG_100K", "VG_100K_2")


class VisualGenomeRegions(ImageListReader):
    """Images with the phrases of their regions.

    Args:
        annotation_file: `region_descriptions.json`.
        image_folder: holds `VG_100K/` and `VG_100K_2/`.

    Raises:
        UserError: a missing file or folder, or a file of another format.
    """

    def __init__(self, annotation_file: str, *, image_folder: str) -> None:
        path, root = Path(annotation_file), Path(image_folder)
        content = read_json(path, expected=EXPECTED)
        if not isinstance(content, list) or not content or "regions" not in content[0]:
            raise UserError(f"{path} is of another format: expected {EXPECTED}.")
        places = find_images(root)
        files = [
            CaptionedFile(
                str(image_id),
                str(places.get(f"{image_id}.jpg", root / FOLDERS[0] / f"{image_id}.jpg")),
                tuple(region["phrase"] for region in image["regions"]),
            )
            for image in content
            for image_id in [identify(image)]
        ]
        super().__init__("Visual Genome", files=files, origin=path)


def identify(image: dict[str, Any]) -> int:
    """Image id, which some releases give only with the regions."""
    regions = image["regions"]
    return int(image["id"] if "id" in image or not regions else regions[0]["image_id"])


def find_images(root: Path) -> dict[str, Path]:
    """Image files of both folders by name."""
    folders = [root / name for name in FOLDERS if (root / name).is_dir()]
    if not folders:
        require_folder(root / FOLDERS[0], expected="Visual Genome's images")
    return {file.name: file for folder in folders for file in folder.iterdir()}
