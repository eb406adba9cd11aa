"""Pictures as the content of a file."""

import io

from PIL import Image


def as_png(image: Image.Image) -> bytes:
    """A picture without loss."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
