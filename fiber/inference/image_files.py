"""Pictures that a user names, and the files that are written about them."""

import glob
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps

from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.files import load_rgb
from fiber.utils.errors import UserError


def find_images(names: Sequence[str]) -> list[Path]:
    """Files in the order given, each once.

    Args:
        names: paths, or patterns (`photos/*.jpg`, `**` for any depth) whose files come sorted.

    Raises:
        UserError: a path does not exist or is a folder, or a pattern has no file.
    """
    found: dict[Path, None] = {}
    for name in names:
        if Path(name).is_dir():
            raise UserError(f"image={name} is a folder: give a pattern, say image='{Path(name) / '*.jpg'}'.")
        files = [name] if Path(name).is_file() else sorted(glob.glob(name, recursive=True))
        files = [file for file in files if Path(file).is_file()]
        if not files:
            raise UserError(f"image={name} does not exist: give a picture, a list of them or a pattern.")
        found |= dict.fromkeys(map(Path, files))
    if not found:
        raise UserError("image is missing: give a picture (image=cat.jpg), a list of them or a pattern.")
    return list(found)


def read_image(path: Path) -> Image.Image:
    """A picture in RGB, upright as its EXIF orientation says.

    Raises:
        UserError: it cannot be decoded.
    """
    try:
        return ImageOps.exif_transpose(load_rgb(path, str(path)))
    except BrokenImageError as error:
        raise UserError(f"image={path} is no picture that can be read ({error}): give a JPEG or PNG file.") from error


def output_stems(images: Sequence[Path]) -> list[str]:
    """A name for what is written about each picture: its own without extension, numbered where pictures share it."""
    reserved, taken, stems = {image.stem for image in images}, set[str](), []
    for image in images:
        stem, number = image.stem, 1
        while stem in taken or (number > 1 and stem in reserved):
            number += 1
            stem = f"{image.stem}-{number}"
        taken.add(stem)
        stems.append(stem)
    return stems
