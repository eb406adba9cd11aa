"""Left and right in the caption of an image that is flipped."""

import re
from collections.abc import Sequence

from fiber.data.records import Span

DIRECTION = re.compile(r"\b(left|right)(?=(?:most|hand|ward|wards|side)?\b)", re.IGNORECASE)
"""Also as part of leftmost, lefthand, leftward and leftside; hyphened forms are words of their own."""
OPPOSITE = {"left": "right", "right": "left"}


def names_direction(text: str) -> bool:
    """Whether a text says left or right, so that it may not hold for a flipped picture."""
    return DIRECTION.search(text) is not None


def swap_directions(text: str, spans: Sequence[Span]) -> tuple[str, tuple[Span, ...]]:
    """Say right for left and the reverse, in the word's own case.

    Args:
        text: a caption.
        spans: characters of it.

    Returns:
        The caption of the flipped image, and where the spans lie in it. A span that begins or ends within a swapped
        word takes in the whole of it.
    """
    words = [match.span() for match in DIRECTION.finditer(text)]
    swapped = DIRECTION.sub(lambda match: opposite(match.group()), text)
    return swapped, tuple((moved(begin, text, words, 0), moved(end, text, words, 1)) for begin, end in spans)


def opposite(word: str) -> str:
    """The other direction, written alike."""
    other = OPPOSITE[word.lower()]
    if word.isupper():
        return other.upper()
    return other.capitalize() if word[0].isupper() else other


def moved(place: int, text: str, words: Sequence[Span], side: int) -> int:
    """Where a place of the old text lies in the new; within a swapped word, at its begin (`side` 0) or end (1)."""
    place = next((word[side] for word in words if word[0] < place < word[1]), place)
    before = [text[start:end] for start, end in words if end <= place]
    return place + sum(len(opposite(word)) - len(word) for word in before)
