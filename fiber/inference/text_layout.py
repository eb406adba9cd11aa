"""Text that fits a picture."""

import re
from collections.abc import Sequence

from PIL import ImageFont

Font = ImageFont.FreeTypeFont
Span = tuple[int, int]
"""First character and the one after the last."""

TEXT_SHARE = 1 / 40
"""Of the picture's mean side."""
MIN_TEXT, MAX_TEXT = 15, 40
MANY_TEXTS = 10
"""Above so many texts in a picture they become smaller."""


def text_font(size: tuple[int, int], num_texts: int = 1) -> Font:
    """Font for a picture of `size` (width, height) pixels."""
    points = min(max(sum(size) / 2 * TEXT_SHARE, MIN_TEXT), MAX_TEXT)
    font = ImageFont.load_default(size=round(points * max(0.75, min(1.0, MANY_TEXTS / max(num_texts, 1)) ** 0.3)))
    assert isinstance(font, Font)  # what pillow has when it was built with FreeType, as its wheels are
    return font


def shortened(text: str, font: Font, width: float) -> str:
    """The text on one line, its end replaced by dots where it is wider than `width` pixels."""
    text = one_line(text)
    if font.getlength(text) <= width:
        return text
    length = max((end for end in range(len(text)) if font.getlength(text[:end] + "...") <= width), default=0)
    return text[:length].rstrip() + "..."


def one_line(text: str) -> str:
    """The text with a blank for every character of white space; its characters keep their places."""
    return re.sub(r"\s", " ", text)


def wrapped(text: str, font: Font, width: float) -> list[Span]:
    """Characters of each line when the text is broken at blanks; a word wider than `width` pixels has its own line."""
    lines: list[Span] = []
    for word in re.finditer(r"\S+", text):
        start, end = word.span()
        if lines and font.getlength(text[lines[-1][0] : end]) <= width:
            lines[-1] = (lines[-1][0], end)
        else:
            lines.append((start, end))
    return lines


def label_runs(line: Span, spans: Sequence[Sequence[Span]]) -> list[tuple[Span, int | None]]:
    """Pieces of a line that belong to one label each, or to none; the first label of a character has it."""
    start, end = line
    owners: list[int | None] = [None] * (end - start)
    for label in reversed(range(len(spans))):
        for first, last in spans[label]:
            for place in range(max(first, start), min(last, end)):
                owners[place - start] = label
    pieces: list[tuple[Span, int | None]] = []
    for place, owner in enumerate(owners, start=start):
        if pieces and pieces[-1][1] == owner:
            pieces[-1] = ((pieces[-1][0][0], place + 1), owner)
        else:
            pieces.append(((place, place + 1), owner))
    return pieces
