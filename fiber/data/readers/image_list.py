"""Captioned images that lie as files in folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.base import CaptionReader
from fiber.data.readers.files import unique, without_blanks
from fiber.data.readers.image_file_reader import ImageFileReader
from fiber.utils.errors import UserError


class CaptionedFile(NamedTuple):
    """One image."""

    image_id: str
    path: str
    captions: tuple[str, ...]
    """As annotated, blanks and repetitions among them."""


class ImageListReader(ImageFileReader, CaptionReader):
    """A list of files with their captions; images without a caption are left out.

    Args:
        name: of the data set, for messages.
        files: the images in order.
        origin: annotation file or folder that `files` were read from, for messages.

    Raises:
        UserError: no image has a caption.
    """

    def __init__(self, name: str, *, files: Sequence[CaptionedFile], origin: Path) -> None:
        self.name = name
        annotated = [file._replace(captions=without_blanks(file.captions)) for file in files if file.captions]
        self.files = [file for file in annotated if file.captions]
        self.blank_images = [
            f"image {file.image_id} of {origin} ({file.path})" for file in annotated if not file.captions
        ]
        if not self.files:
            raise UserError(f"{origin} holds no captioned image of {name}.")

    def __len__(self) -> int:
        return len(self.files)

    def captions(self, index: int) -> Sequence[str]:
        return unique(self.files[index].captions)

    def references(self, index: int) -> Sequence[str]:
        return self.files[index].captions

    def caption_counts(self) -> NDArray[np.int64]:
        return np.array([len(set(file.captions)) for file in self.files], dtype=np.int64)

    def image_id(self, index: int) -> str:
        return self.files[index].image_id

    def location(self, index: int) -> str:
        return self.files[index].path
