"""Runs of words."""

from collections import Counter
from collections.abc import Sequence

MAX_ORDER = 4
"""BLEU and CIDEr look at runs of one to four words."""


def count_ngrams(words: Sequence[str]) -> tuple[Counter[str], ...]:
    """How often each run of words occurs, by its length from 1 to 4; the words of a run are joined by spaces."""
    return tuple(
        Counter([" ".join(words[start : start + order]) for start in range(len(words) - order + 1)])
        for order in range(1, MAX_ORDER + 1)
    )
