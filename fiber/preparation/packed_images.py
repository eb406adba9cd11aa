"""Image files of a sample as they lie on the disk, so that packed pictures have the same pixels."""

import base64
import io
from functools import singledispatch

from PIL import Image, UnidentifiedImageError

from fiber.data.readers.arrow import ArrowPairs
from fiber.data.readers.arrow_questions import ArrowQuestions
from fiber.data.readers.arrow_statements import ArrowStatements
from fiber.data.readers.base import ImageReader, Reader
from fiber.data.readers.missing_images import image_files
from fiber.data.readers.objects365_tsv import Objects365Tsv
from fiber.data.readers.packed import PackedReader
from fiber.data.readers.task_readers import StatementReader
from fiber.data.readers.webdataset import WebDatasetPairs

SUFFIXES = {"JPEG": "jpg", "MPO": "jpg"}
"""By Pillow's name of the format, where it is not that name in lower case."""
UNKNOWN_SUFFIX = "bin"
"""Of what is no picture: it is packed as it is, and as broken as before."""


@singledispatch
def encoded_images(reader: Reader, index: int) -> list[bytes]:
    """Content of the image files of a sample; a picture without a file is written as PNG.

    Args:
        reader: of images, or of statements about two.
        index: of the sample.

    Raises:
        OSError: a file is missing or cannot be read.
    """
    if files := image_files(reader, index):
        return [file.read_bytes() for file in files]
    if isinstance(reader, StatementReader):
        return [as_png(image) for image in reader.load_images(index)]
    assert isinstance(reader, ImageReader)
    return [as_png(reader.load_image(index))]


@encoded_images.register
def _(reader: ArrowPairs, index: int) -> list[bytes]:
    return [reader.tables.cell("image", index)]


@encoded_images.register
def _(reader: ArrowQuestions, index: int) -> list[bytes]:
    return [reader.tables.cell("image", reader.samples.find(index)[0])]


@encoded_images.register
def _(reader: ArrowStatements, index: int) -> list[bytes]:
    row, _ = reader.samples.find(index)
    return [reader.tables.cell(column, row) for column in ("image_0", "image_1")]


@encoded_images.register
def _(reader: Objects365Tsv, index: int) -> list[bytes]:
    return [base64.b64decode(reader.images[int(reader.rows[index])][-1])]


@encoded_images.register
def _(reader: WebDatasetPairs, index: int) -> list[bytes]:
    return [reader.read(index, reader.index.image_offset, reader.index.image_size)]


@encoded_images.register
def _(reader: PackedReader, index: int) -> list[bytes]:
    return reader.samples.encoded_images(index)


def as_png(image: Image.Image) -> bytes:
    """A picture without loss."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def image_suffix(content: bytes) -> str:
    """What a file of such content is called: `jpg`, `png`, `webp`."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            name = image.format or UNKNOWN_SUFFIX
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return UNKNOWN_SUFFIX
    return SUFFIXES.get(name, name.lower())
