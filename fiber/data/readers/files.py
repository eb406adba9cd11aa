"""Reading annotation files and pictures, with errors that name them."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, UnidentifiedImageError

from fiber.data.readers.base import BrokenImageError
from fiber.data.rgb import to_rgb
from fiber.utils.errors import UserError


class MissingFileError(UserError):
    """An annotation file that is not there.

    Args:
        message: for the user.
        path: of the file; None where the error came from a data worker, which hands on the message alone.
    """

    def __init__(self, message: str, *, path: Path | None = None) -> None:
        super().__init__(message)
        self.path = path


class MissingFolderError(MissingFileError):
    """A folder of images or annotations that is not there."""


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
    """Raise a MissingFileError that says which part of the path is missing."""
    if path.is_file():
        return
    missing = path
    while not missing.parent.exists() and missing.parent != missing:
        missing = missing.parent
    raise MissingFileError(
        f"{path} does not exist ({missing} is missing): expected {expected}. Is data_dir right?", path=path
    )


def write_whole(path: Path, write: Callable[[BinaryIO], object], *, partial: Path | None = None) -> None:
    """Write a file that has its name once it is whole: readers meet an old one or the new one.

    Args:
        path: of the file.
        write: writes the content.
        partial: name until then; None = the file's with `.part`.
    """
    partial = path.with_name(f"{path.name}.part") if partial is None else partial
    with partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())  # a crash of the machine must not leave a named file without content
    partial.replace(path)


def require_folder(path: Path, *, expected: str) -> None:
    """Raise a MissingFolderError if there is no such folder."""
    if not path.is_dir():
        raise MissingFolderError(f"{path} is no folder: expected {expected}. Is data_dir right?", path=path)


def without_blanks(captions: Iterable[str]) -> tuple[str, ...]:
    """Captions that say something, in order."""
    return tuple(text for caption in captions if (text := caption.strip()))


def unique(captions: Iterable[str]) -> tuple[str, ...]:
    """Captions without blanks and repetitions, in order."""
    return tuple(dict.fromkeys(without_blanks(captions)))


def load_rgb(source: Path | BinaryIO, location: str) -> Image.Image:
    """Decode a picture as RGB (`to_rgb`), its pixels in the order they are stored in.

    An EXIF orientation is not applied: boxes are annotated on stored pixels, as in COCO, and pictures without boxes are
    read like those with. Users' own photographs, which `predict.py` shows models, are turned upright there.

    Raises:
        BrokenImageError: it is missing, cut short or no picture.
    """
    try:
        with Image.open(source) as image:
            return to_rgb(image)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error  # without the path again
        raise BrokenImageError(f"{location}: {reason}") from error
