"""Recall of phrases as published for Flickr30k Entities (Plummer et al. 2015), by type and protocol.

Axes: K boxes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fiber.evaluation.grounding_recall import Hits, find_phrase, mean_hits

ALL_TYPES = "all"


class JudgedPhrase(NamedTuple):
    """One phrase that has boxes."""

    types: tuple[str, ...]
    """As annotated, such as `people`."""
    any_box: Hits
    """Found if any of its true boxes is."""
    merged_box: Hits
    """Found if the box around all its true boxes is."""


class TypeRecall(NamedTuple):
    """Recall of the phrases of one type."""

    num_phrases: int
    any_box: dict[str, float]
    """By the names of `grounding_recall.METRICS`, in [0, 1]."""
    merged_box: dict[str, float]


def judge_phrase(predicted: Tensor, truth: Tensor, types: Sequence[str]) -> JudgedPhrase:
    """Judge one phrase by both protocols.

    Args:
        predicted: K 4, best first, continuous xyxy in pixels of the image; the same for both protocols.
        truth: boxes of the phrase, at least one.
        types: of the phrase.
    """
    return JudgedPhrase(tuple(types), find_phrase(predicted, truth), find_phrase(predicted, enclosing_box(truth)))


def enclosing_box(boxes: Tensor) -> Tensor:
    """The smallest box around K others, K 4 -> 1 4."""
    return torch.cat([boxes[:, :2].amin(dim=0), boxes[:, 2:].amax(dim=0)])[None]


def recall_by_type(phrases: Sequence[JudgedPhrase]) -> dict[str, TypeRecall]:
    """Recall by type, `all` first and then those that occur in alphabetical order.

    A phrase counts once among all and once for each of its types.
    """
    names = sorted({name for phrase in phrases for name in phrase.types})
    return {ALL_TYPES: recall(phrases)} | {
        name: recall([phrase for phrase in phrases if name in phrase.types]) for name in names
    }


def recall(phrases: Sequence[JudgedPhrase]) -> TypeRecall:
    """Recall of phrases, whatever their types."""
    return TypeRecall(
        len(phrases),
        mean_hits([phrase.any_box for phrase in phrases]),
        mean_hits([phrase.merged_box for phrase in phrases]),
    )
