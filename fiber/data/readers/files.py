"""Reading annotation files and pictures, with errors that name them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, UnidentifiedImageError

from fiber.data.readers.base import BrokenImageError
from fiber.utils.errors import UserError


def read_json(path: Path, *, expected: str) -> Any:
    """Content of a json file.

    Args:
        path: of the file.
        expected: what it should hold, for the message.

    Raises:
        UserError: there is no such file, or it is not json.
    """
    require_file(path, expected=expected)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not json ({error}): expected {expected}.") from error


def require_file(path: Path, *, expected: str) -> None:
    """Raise a UserError that says which part of the path is missing."""
    if path.is_file():
        return
    missing = path
    while not missing.parent.exists() and missing.parent != missing:
        missing = missing.parent
    raise UserError(f"{path} does not exist ({missing} is missing): expected {expected}. Is data_dir right?")


def require_folder(path: Path, *, expected: str) -> None:
    """Raise a UserError if there is no such folder."""
    if not path.is_dir():
        raise UserError(f"{path} is no folder: expected {expected}. Is data_dir right?")


def without_blanks(captions: Iterable[str]) -> tuple[str, ...]:
    """Captions that say something, in order."""
    return tuple(text for caption in captions if (text := caption.strip()))


def unique(captions: Iterable[str]) -> tuple[str, ...]:
    """Captions without blanks and repetitions, in order."""
    return tuple(dict.fromkeys(without_blanks(captions)))


def load_rgb(source: Path | BinaryIO, location: str) -> Image.Image:
    """Decode a picture as RGB, whatever its mode.

    Raises:
        BrokenImageError: it is missing, cut short or no picture.
    """
    try:
        with Image.open(source) as image:
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BrokenImageError(f"{location}: {error}") from error
