"""Sample predictions of a task as one picture.

Axes: S image side in pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

TILE = 192
"""Side of a drawn image in pixels."""
LINE = 22
FONT_SIZE = 15
TEXT_WIDTH = 640
MARGIN = 12
RIGHT, WRONG, INK, FRAME = (0, 120, 40), (190, 20, 20), (30, 30, 30), (190, 190, 190)


class SheetLine(NamedTuple):
    """A line of text; right is green, wrong is red, None black."""

    text: str
    verdict: bool | None = None


class SheetRow(NamedTuple):
    """One sample: its images and what is said about them."""

    images: tuple[Tensor, ...]
    """uint8 3 S S each."""
    lines: tuple[SheetLine, ...]


def draw_sheet(rows: Sequence[SheetRow]) -> Image.Image:
    """Rows one below the other: images at the left, lines at their right."""
    most = max(len(row.images) for row in rows)
    left = MARGIN + most * (TILE + MARGIN)
    texts = [[(piece, line.verdict) for line in row.lines for piece in wrapped(line.text)] for row in rows]
    heights = [max(TILE, LINE * len(pieces)) + MARGIN for pieces in texts]
    sheet = Image.new("RGB", (left + TEXT_WIDTH + MARGIN, sum(heights) + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    top = MARGIN
    for row, pieces, height in zip(rows, texts, heights, strict=True):
        for place, image in enumerate(row.images):
            paste_tile(sheet, image, left=MARGIN + place * (TILE + MARGIN), top=top)
        for number, (text, verdict) in enumerate(pieces):
            draw.text((left, top + number * LINE), text, fill=ink(verdict), font=font())
        top += height
    return sheet


def paste_tile(sheet: Image.Image, image: Tensor, *, left: int, top: int) -> None:
    """One framed image."""
    picture = Image.fromarray(image.permute(1, 2, 0).cpu().numpy())
    sheet.paste(picture.resize((TILE, TILE), Image.Resampling.BICUBIC), (left, top))
    ImageDraw.Draw(sheet).rectangle((left - 1, top - 1, left + TILE, top + TILE), outline=FRAME)


def wrapped(text: str) -> list[str]:
    """Text in pieces that fit the column."""
    pieces = [""]
    for word in text.split():
        longer = f"{pieces[-1]} {word}".strip()
        if pieces[-1] and font().getlength(longer) > TEXT_WIDTH:
            pieces.append(word)
        else:
            pieces[-1] = longer
    return pieces


def font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=FONT_SIZE)


def ink(verdict: bool | None) -> tuple[int, int, int]:
    """Colour of a line."""
    return INK if verdict is None else RIGHT if verdict else WRONG
