"""Corruption of texts for masked language modelling (BERT's 80/10/10). Axes: L tokens of one text."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IGNORED = -100
REPLACED_BY_MASK = 0.8
REPLACED_BY_RANDOM = 0.1


class MaskedText(NamedTuple):
    """One corrupted text."""

    ids: NDArray[np.int64]
    """L."""
    labels: NDArray[np.int64]
    """L, the original id where a token was selected, -100 elsewhere."""


def mask_tokens(
    ids: NDArray[np.int64],
    maskable: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    probability: float,
    mask_id: int,
    vocab_size: int,
) -> MaskedText:
    """Select tokens and corrupt them: 80 % become `<mask>`, 10 % a random entry of the vocabulary, 10 % stay.

    Args:
        ids: L.
        maskable: L, False for special tokens and padding.
        rng: the only source of randomness; the same numbers are drawn whatever is selected.
        probability: of selecting a token.
        mask_id: id of `<mask>`.
        vocab_size: random ids are in [0, vocab_size).
    """
    selected = (rng.random(ids.shape) < probability) & maskable
    fate = rng.random(ids.shape)
    random_ids = rng.integers(0, vocab_size, ids.shape)
    corrupted = np.where(selected & (fate < REPLACED_BY_MASK), mask_id, ids)
    at_random = selected & (fate >= REPLACED_BY_MASK) & (fate < REPLACED_BY_MASK + REPLACED_BY_RANDOM)
    corrupted = np.where(at_random, random_ids, corrupted)
    return MaskedText(corrupted, np.where(selected, ids, IGNORED))
