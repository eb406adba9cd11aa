"""From the characters that name a label to the tokens that are scored for it.

Axes: R rows (a box in training, a label in evaluation), L text tokens.
"""

from bisect import bisect_right
from collections.abc import Sequence

import torch
from torch import Tensor

from fiber.detection.prompts import Span

REACH = 3
"""Characters tried at either end of a span, because blanks belong to no token."""


def span_positions(span: Span, offsets: Sequence[Span], first: int = 1) -> range:
    """Positions of the tokens that cover a span of characters.

    Args:
        span: characters of the text. A first character that no token covers gives way to the next two, a last one to
            the two before it.
        offsets: characters of every token without special ones, in order, outer blanks not counted.
        first: position of the first of these tokens; 1 after `<s>`.

    Returns:
        Consecutive positions, none if either end meets no token.
    """
    return find_positions(span, offsets, [end for _, end in offsets], first)


def positive_map(spans_per_row: Sequence[Sequence[Span]], offsets: Sequence[Span], *, length: int) -> Tensor:
    """Which tokens are positive for each row.

    Args:
        spans_per_row: characters that name the thing of each row.
        offsets: as for `span_positions`. Given those of the whole text, a phrase across the cut keeps the tokens before
            it; given those of the `length` - 2 tokens that are kept, it has none (the original's training).
        length: L, to which the text is cut and padded; its last position holds `</s>` or padding, never a word.

    Returns:
        bool R L, True = positive. A row may be all False.
    """
    positives = torch.zeros(len(spans_per_row), length, dtype=torch.bool)
    for row, positions in enumerate(token_positions(spans_per_row, offsets)):
        positives[row, [position for position in positions if position < length - 1]] = True
    return positives


def token_positions(spans_per_label: Sequence[Sequence[Span]], offsets: Sequence[Span]) -> tuple[tuple[int, ...], ...]:
    """Positions of the tokens over which the score of each label is averaged, ascending; none if nothing covers it.

    Arguments as for `span_positions`; the positions are those of a text that is not cut.
    """
    ends = [end for _, end in offsets]
    return tuple(
        tuple(sorted({position for span in spans for position in find_positions(span, offsets, ends, 1)}))
        for spans in spans_per_label
    )


def find_positions(span: Span, offsets: Sequence[Span], ends: Sequence[int], first: int) -> range:
    """`span_positions`, given the end of every token."""
    begin, end = span
    start = first_covered(range(begin, begin + REACH), offsets, ends)
    stop = first_covered(range(end - 1, end - 1 - REACH, -1), offsets, ends)
    if start is None or stop is None:
        return range(0)
    return range(first + start, first + stop + 1)


def first_covered(characters: range, offsets: Sequence[Span], ends: Sequence[int]) -> int | None:
    """Index of the token under the first of `characters` that has one."""
    for character in characters:
        # Of the tokens that share a character (its bytes), the first; both ends of the offsets ascend.
        token = bisect_right(ends, character)
        if token < len(offsets) and offsets[token][0] <= character:
            return token
    return None
