"""Pictures of any mode as RGB of 8 bits."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
"""Modes whose values are 16-bit by definition."""
WIDE = (*SIXTEEN_BIT, "I", "F")
"""Modes of one channel of more than 8 bits, which Pillow would clip and not scale."""
MAX_8_BIT, MAX_16_BIT = 255, 65535


def to_rgb(image: Image.Image) -> Image.Image:
    """A picture as RGB, in the orientation it is stored in.

    Greyscale of more than 8 bits is scaled: 16-bit values from [0, 65535]; whole numbers of 32 bits (`I`) likewise
    unless none exceeds 255, which are taken for 8-bit ones; fractions (`F`) from [0, 1] unless one exceeds 1, which are
    taken for [0, 255]. Values outside of the range are clipped, and NaN is black.

    An alpha channel is dropped, not composed: a transparent pixel has the colour that is stored below it. The EXIF
    orientation is kept as metadata and not applied.

    Args:
        image: of any mode and size.
    """
    if image.mode not in WIDE:
        return image.convert("RGB")
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0)
    white = white_value(image.mode, values)
    levels = np.rint(values.clip(0, white) * MAX_8_BIT / white)
    scaled = Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    if "exif" in image.info:
        scaled.info["exif"] = image.info["exif"]
    return scaled


def white_value(mode: str, values: NDArray[np.float64]) -> int:
    """What stands for white.

    Args:
        mode: one of `WIDE`.
        values: of the picture.
    """
    if mode in SIXTEEN_BIT:
        return MAX_16_BIT
    if mode == "F":
        return MAX_8_BIT if values.max() > 1 else 1
    return MAX_16_BIT if values.max() > MAX_8_BIT else MAX_8_BIT
