"""Phrase grounding: is one of the best boxes of a phrase right?

Axes: K boxes of a phrase.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torchvision.ops import box_iou

RANKS = (1, 5, 10)
METRICS = (*(f"recall_{rank}" for rank in RANKS), "upper_bound")
"""By the best 1, 5 and 10 boxes, and by all."""
MATCHING_OVERLAP = 0.5
"""Intersection over union from which a box is right."""

Hits = tuple[bool, ...]
"""Whether a phrase is found, in the order of `METRICS`."""


def find_phrase(predicted: Tensor, truth: Tensor) -> Hits:
    """Whether any of the first predicted boxes overlaps any true one by half or more (the any-box protocol).

    Args:
        predicted: K 4, best first, continuous xyxy in pixels of the image.
        truth: boxes of the phrase, at least one.
    """
    if len(predicted) == 0:
        return (False,) * len(METRICS)
    overlap = box_iou(predicted, truth).amax(dim=1)  # K
    return (*hits_at_ranks(overlap), bool((overlap >= MATCHING_OVERLAP).any()))


def hits_at_ranks(overlap: Tensor) -> tuple[bool, ...]:
    """Whether any of the first 1, 5 and 10 boxes is right, from the overlap of K with the truth."""
    right = overlap >= MATCHING_OVERLAP
    return tuple(bool(right[:rank].any()) for rank in RANKS)


def mean_hits(hits: Sequence[Hits]) -> dict[str, float]:
    """Share of phrases that are found, by the names of `METRICS`; every phrase counts once, 0 where there is none."""
    totals = np.array(hits, dtype=np.int64).reshape(-1, len(METRICS)).sum(axis=0)
    return {name: float(total) / max(1, len(hits)) for name, total in zip(METRICS, totals, strict=True)}
