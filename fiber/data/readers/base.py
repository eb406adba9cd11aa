"""What every reader offers, whatever the format on disk."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiber.data.readers.image_encoding import as_png
from fiber.utils.errors import UserError


class BrokenImageError(OSError):
    """An image that is missing or cannot be decoded; the message names it."""


class UnknownSplitError(UserError):
    """A split that the annotation file does not have."""


class Reader(ABC):
    """Samples of one split in a fixed order.

    Readers index annotations when built and open images only when asked, so that building one costs seconds and data
    workers do not copy pictures. A reader can be pickled.
    """

    name: str
    """Short name of the data set, used in messages and logs."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @abstractmethod
    def location(self, index: int) -> str:
        """Where a sample's image lies (a path, or `shard.tar@offset`), for messages."""

    @abstractmethod
    def texts(self) -> Iterator[str]:
        """Texts to train a tokeniser on."""

    def image_files(self, index: int) -> tuple[Path, ...]:
        """Where the images of a sample should lie; none where they are no files, as in tables and shards."""
        return ()

    @abstractmethod
    def encoded_images(self, index: int) -> list[bytes]:
        """Content of the image files of a sample as it is stored; a picture without one as PNG.

        Raises:
            OSError: a file is missing or cannot be read.
        """


class ImageReader(Reader):
    """Samples of one image each."""

    @abstractmethod
    def image_id(self, index: int) -> str:
        """The data set's own identifier of the image, as text."""

    @abstractmethod
    def load_image(self, index: int) -> Image.Image:
        """Decode one image.

        Returns:
            An RGB picture of any size.

        Raises:
            BrokenImageError: the file is missing or cannot be decoded.
        """

    def encoded_images(self, index: int) -> list[bytes]:
        return [as_png(self.load_image(index))]


class CaptionReader(ImageReader):
    """Images of one split with their captions; `len(reader)` is the number of images."""

    blank_images: Sequence[str] = ()
    """Images that the reader left out because all their captions are blank: annotation file and image each."""

    @abstractmethod
    def captions(self, index: int) -> Sequence[str]:
        """Captions of one image: at least one, in file order, without repetitions."""

    def references(self, index: int) -> Sequence[str]:
        """Captions that one of this image is judged by: as often as annotated, since benchmarks count repetitions."""
        return self.captions(index)

    def caption_counts(self) -> NDArray[np.int64]:
        """Number of captions of every image, `len(self)`."""
        return np.array([len(self.captions(index)) for index in range(len(self))], dtype=np.int64)

    def texts(self) -> Iterator[str]:
        """The captions, unless a reader knows better."""
        for index in range(len(self)):
            yield from self.captions(index)
