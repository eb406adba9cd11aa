"""What image files are called by their content."""

import io

from PIL import Image, UnidentifiedImageError

SUFFIXES = {"JPEG": "jpg", "MPO": "jpg"}
"""By Pillow's name of the format, where it is not that name in lower case."""
UNKNOWN_SUFFIX = "bin"
"""Of what is no picture: it is packed as it is, and as broken as before."""


def image_suffix(content: bytes) -> str:
    """What a file of such content is called: `jpg`, `png`, `webp`."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            name = image.format or UNKNOWN_SUFFIX
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return UNKNOWN_SUFFIX
    return SUFFIXES.get(name, name.lower())
