"""Sample predictions of coarse pre-training as one picture.

Axes: S image side in pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

TILE = 192
"""Side of a drawn image in pixels."""
LINE = 20
TEXT_WIDTH = 620
MARGIN = 12
RIGHT, WRONG, INK, FRAME = (0, 120, 40), (190, 20, 20), (30, 30, 30), (190, 190, 190)
NUM_RETRIEVED = 3


class FilledWord(NamedTuple):
    """A token of a masked caption."""

    text: str
    masked: bool
    right: bool
    """Whether the model's word is the caption's; True where nothing was masked."""


class RetrievedCaption(NamedTuple):
    text: str
    right: bool


class PairPrediction(NamedTuple):
    """What a model makes of one validation pair."""

    image: Tensor
    """uint8 3 S S."""
    filled: tuple[FilledWord, ...]
    """The caption with the model's choice at every masked token."""
    retrieved: tuple[RetrievedCaption, ...]
    """The best captions of the split for this image, best first."""


def draw_pairs(predictions: Sequence[PairPrediction]) -> Image.Image:
    """One row per pair: image, caption with masked words filled in (in brackets), retrieved captions."""
    row = TILE + MARGIN
    sheet = Image.new("RGB", (TILE + TEXT_WIDTH + 3 * MARGIN, row * len(predictions) + MARGIN), "white")
    for index, prediction in enumerate(predictions):
        top = MARGIN + index * row
        image = Image.fromarray(prediction.image.permute(1, 2, 0).cpu().numpy())
        sheet.paste(image.resize((TILE, TILE), Image.Resampling.BICUBIC), (MARGIN, top))
        draw = ImageDraw.Draw(sheet)
        draw.rectangle((MARGIN - 1, top - 1, MARGIN + TILE, top + TILE), outline=FRAME)
        draw_texts(draw, prediction, left=TILE + 2 * MARGIN, top=top)
    return sheet


def draw_texts(draw: ImageDraw.ImageDraw, prediction: PairPrediction, *, left: int, top: int) -> None:
    """The text column of one row; green is right, red is wrong."""
    font = ImageFont.load_default(size=15)
    draw.text((left, top), "masked words filled in", fill=(120, 120, 120), font=font)
    x, y = float(left), top + LINE
    for word in prediction.filled:
        text = f"[{word.text.strip()}] " if word.masked else word.text.strip() + " "
        width = draw.textlength(text, font=font)
        if x + width > left + TEXT_WIDTH:
            x, y = float(left), y + LINE
        draw.text((x, y), text, fill=INK if not word.masked else RIGHT if word.right else WRONG, font=font)
        x += width
    draw.text((left, y + 1.5 * LINE), "captions retrieved for the image", fill=(120, 120, 120), font=font)
    for rank, caption in enumerate(prediction.retrieved, start=1):
        place = (left, y + (1.5 + rank) * LINE)
        draw.text(place, f"{rank}. {caption.text[:80]}", fill=RIGHT if caption.right else WRONG, font=font)
