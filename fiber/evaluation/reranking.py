"""Re-ranking by matching what contrastive scores put on top.

Axes: n images of this process, T texts.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fiber.evaluation.retrieval import Best, ScoreTable, best_images, best_texts

BELOW = 1e6
"""Taken off the contrastive scores of what is no candidate: more than any matching score."""


class Floors(NamedTuple):
    """Contrastive scores above which a pair is a candidate."""

    of_images: Tensor
    """n 1: for the texts of an image."""
    of_texts: Tensor
    """1 T: for the images of a text."""


def candidate_floors(contrastive: ScoreTable, top_k: int) -> Floors:
    """Floors that leave the `top_k` best texts of every image, and the `top_k` best images of every text.

    Where several share the last place, none of them is a candidate.
    """
    texts, images = best_texts(contrastive, top_k + 1), best_images(contrastive, top_k + 1)
    return Floors(runner_up(texts, top_k)[:, None], runner_up(images, top_k)[None].to(texts.scores.device))


def runner_up(best: Best, k: int) -> Tensor:
    """Score of the best that is not among the first k; -inf where there are no more than k."""
    padded = F.pad(best.scores, (0, 1), value=-torch.inf)
    return padded[:, min(k, best.scores.shape[1])]


def candidates(contrastive: ScoreTable, floors: Floors, row: int) -> Tensor:
    """Texts to match with one image, for the sake of either direction: int64, at least one."""
    scores = contrastive.rows(slice(row, row + 1))[0]
    chosen = (scores > floors.of_images[row]) | (scores > floors.of_texts[0])
    chosen[scores.argmax()] = True
    return chosen.nonzero().squeeze(1)


def reranked(
    contrastive: ScoreTable, matching: Callable[[slice], Tensor], floors: Floors
) -> tuple[ScoreTable, ScoreTable]:
    """Candidates by their matching score, all others below them by their contrastive score.

    Args:
        contrastive: scores of all pairs.
        matching: rows of matching scores, which need be right for candidates alone.
        floors: above which pairs are candidates.

    Returns:
        Tables for the texts of an image, and for the images of a text.
    """

    def rows(part: slice, floor: Tensor) -> Tensor:
        scores = contrastive.rows(part).double()
        return torch.where(scores > floor, matching(part).double(), scores - BELOW)

    return (
        replace(contrastive, rows=lambda part: rows(part, floors.of_images[part])),
        replace(contrastive, rows=lambda part: rows(part, floors.of_texts)),
    )
