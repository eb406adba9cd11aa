"""Pictures that a user names, and the names of the files that are written about them."""

import glob
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps

from fiber.data.readers.files import load_rgb
from fiber.utils.errors import UserError

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Endings, in small letters, of the files that are taken from a folder."""


def find_images(names: Sequence[str], key: str = "image", *, repeats: bool = False) -> list[Path]:
    """Files in the order given.

    Args:
        names: paths, folders whose pictures are taken, or patterns (`photos/*.jpg`, `**` for any depth). The files of a
            folder or a pattern come sorted.
        key: of the configuration, for messages.
        repeats: whether a file that is named again comes again.

    Raises:
        UserError: a path does not exist, a folder has no picture, or a pattern no file.
    """
    found: list[Path] = []
    for name in names:
        found += images_in(Path(name), key) if Path(name).is_dir() else matching_files(name, key)
    if not found:
        raise UserError(f"{key} is missing: give a picture ({key}=cat.jpg), a folder, a pattern, or a list of them.")
    return found if repeats else list(dict.fromkeys(found))


def images_in(folder: Path, key: str) -> list[Path]:
    """Pictures of a folder by their endings, sorted; those in folders within it are left out."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
    if not files:
        raise UserError(
            f"{key}={folder} is a folder without pictures ({', '.join(sorted(IMAGE_SUFFIXES))}): give another, or a "
            f"pattern, say {key}='{folder / '**' / '*.jpg'}' for the folders within it."
        )
    return files


def matching_files(name: str, key: str) -> list[Path]:
    """The file of that name, else the files of that pattern, sorted."""
    files = [name] if Path(name).is_file() else sorted(glob.glob(name, recursive=True))
    files = [file for file in files if Path(file).is_file()]
    if not files:
        raise UserError(f"{key}={name} does not exist: give a picture, a folder, a pattern, or a list of them.")
    return [Path(file) for file in files]


def read_image(path: Path) -> Image.Image:
    """A picture in RGB, upright as its EXIF orientation says.

    Raises:
        BrokenImageError: it cannot be decoded.
    """
    return ImageOps.exif_transpose(load_rgb(path, str(path)))


def output_stems(images: Sequence[Path]) -> list[str]:
    """A name for each thing that is written about a picture: the picture's without extension, numbered where several
    share it."""
    reserved, taken, stems = {image.stem for image in images}, set[str](), []
    numbers: dict[str, int] = {}
    for image in images:
        stem, number = image.stem, numbers.get(image.stem, 1)
        while stem in taken or (number > 1 and stem in reserved):
            number += 1
            stem = f"{image.stem}-{number}"
        numbers[image.stem] = number
        taken.add(stem)
        stems.append(stem)
    return stems
