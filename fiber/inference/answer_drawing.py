"""Pictures of answers: a picture above what is said about it, and bars as long as that is probable."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from fiber.inference.drawing import INK, MIN_LONG_SIDE, PALETTE, PAPER, Color, enlarged, side_by_side
from fiber.inference.text_layout import Font, Span, one_line, shortened, text_font, wrapped

MAX_BARS = 10
"""More are counted, not drawn."""
MAX_LINES = 3
"""Of a bar's text; what follows is cut."""
MAX_ASPECT = 2
"""Height by width up to which words grow with the picture."""
TEXT_COLUMN = 0.52
"""Widest column of texts, of the page."""
LINE_HEIGHT, ROW_GAP, BAR_HEIGHT = 1.35, 0.45, 0.8
"""Of a text's size."""
GREEN, RED, BLUE = PALETTE[3], PALETTE[0], PALETTE[1]
PALE: Color = (168, 176, 188)
"""Bars that are not the best."""
TRACK: Color = (236, 238, 241)
"""Behind a bar."""


class Bar(NamedTuple):
    """One answer."""

    text: str
    share: float
    """Length in [0, 1]."""
    note: str
    """Beside the bar."""


def draw_answers(image: Image.Image, heading: str | None, bars: Sequence[Bar] = (), color: Color = BLUE) -> Image.Image:
    """The picture above a text and bars, if there are any; the first stands out.

    Args:
        image: RGB; one whose longer side is below 480 pixels is enlarged to that.
        heading: what was asked or said, wrapped.
        bars: best first; the first ten are drawn.
        color: of the first bar.
    """
    picture = enlarged(image)
    width = max(picture.width, MIN_LONG_SIDE)  # below a narrow picture there would be no room for words
    font = text_font((width, min(picture.height, MAX_ASPECT * width)))  # or a tower's words would not fit its width
    panel = bar_panel(width, font, heading, bars, color)
    page = Image.new("RGB", (width, picture.height + panel.height), PAPER)
    page.paste(picture, ((width - picture.width) // 2, 0))
    page.paste(panel, (0, picture.height))
    return page


def draw_judgement(
    left: Image.Image, right: Image.Image, statement: str, *, is_true: bool, probability: float
) -> Image.Image:
    """Two RGB pictures above a statement and how probably it is true, green if it is held for true, else red.

    Args:
        left: picture.
        right: picture.
        statement: wrapped.
        is_true: the judgement.
        probability: that the statement is true, in [0, 1].
    """
    bars = [Bar("true", probability, f"{probability:.2f}"), Bar("false", 1 - probability, f"{1 - probability:.2f}")]
    return draw_answers(
        side_by_side(left, right, ("left", "right")),
        statement,
        bars if is_true else bars[::-1],
        GREEN if is_true else RED,
    )


def bar_panel(width: int, font: Font, heading: str | None, bars: Sequence[Bar], color: Color) -> Image.Image:
    """What stands below the picture."""
    margin, line = round(font.size), round(font.size * LINE_HEIGHT)
    column, note_width = column_widths(width, font, bars)
    shown = bars[:MAX_BARS]
    texts = [lines_of(bar.text, font, column, limit=MAX_LINES) for bar in shown]
    title = [] if heading is None else lines_of(heading, font, width - 2 * margin)
    gap = round(font.size * ROW_GAP)
    rows = sum(len(text) * line + gap for text in texts)
    more = len(bars) - len(shown)
    height = margin + len(title) * line + (gap if title else 0) + rows + (line if more else 0) + margin // 2
    panel = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(panel)
    top = margin
    for words in title:
        draw.text((margin, top + line / 2), words, fill=INK, font=font, anchor="lm")
        top += line
    top += gap if title else 0
    for number, (bar, text) in enumerate(zip(shown, texts, strict=True)):
        for place, words in enumerate(text):
            draw.text((margin, top + (place + 0.5) * line), words, fill=INK, font=font, anchor="lm")
        left, right = margin + column + margin, width - margin - note_width
        draw_bar(draw, (left, right), top + line * len(text) / 2, bar, color if number == 0 else PALE, font)
        top += len(text) * line + gap
    if more:
        draw.text((margin, top + line / 2), f"and {more} more", fill=PALE, font=font, anchor="lm")
    return panel


def column_widths(width: int, font: Font, bars: Sequence[Bar]) -> tuple[int, int]:
    """Pixels of the column of texts and of that of notes with a blank before it, as wide as they need be."""
    widest = max((font.getlength(one_line(bar.text)) for bar in bars), default=0.0)
    notes = max((font.getlength(bar.note) for bar in bars), default=0.0)
    return round(min(widest + 1, width * TEXT_COLUMN - font.size)), round(notes + font.size * 0.6)


def draw_bar(
    draw: ImageDraw.ImageDraw, ends: tuple[int, int], middle: float, bar: Bar, color: Color, font: Font
) -> None:
    """A bar on its track between two columns of the page, and its note at its right."""
    left, right = ends
    half = font.size * BAR_HEIGHT / 2
    draw.rounded_rectangle((left, middle - half, right, middle + half), radius=half / 2, fill=TRACK)
    end = left + bar.share * (right - left)
    if end - left >= 1:
        draw.rounded_rectangle((left, middle - half, end, middle + half), radius=min(half, end - left) / 2, fill=color)
    draw.text((right + font.size * 0.6, middle), bar.note, fill=INK, font=font, anchor="lm")


def lines_of(text: str, font: Font, width: float, *, limit: int | None = None) -> list[str]:
    """A text broken at blanks; where it needs more lines than `limit`, its end is replaced by dots."""
    text = one_line(text)
    spans: list[Span] = wrapped(text, font, width)
    if limit is not None and len(spans) > limit:  # the last line and the next are more than fits, so it ends in dots
        spans[limit - 1 :] = [(spans[limit - 1][0], spans[limit][1])]
    return [shortened(text[start:end], font, width) for start, end in spans]
