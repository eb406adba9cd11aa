"""Phrase grounding: is one of the best boxes of a phrase right? (Flickr30k Entities, any-box protocol)

Axes: K boxes of a phrase.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import box_iou

RANKS = (1, 5, 10)
MATCHING_IOU = 0.5


def hits_at_ranks(predicted: Tensor, truth: Tensor) -> tuple[bool, ...]:
    """Whether any of the first k predicted boxes overlaps any true one by half or more, for k = 1, 5, 10.

    Args:
        predicted: K 4, best first, continuous xyxy in pixels of the image.
        truth: boxes of the phrase, at least one.
    """
    if len(predicted) == 0:
        return tuple(False for _ in RANKS)
    right = (box_iou(predicted, truth) >= MATCHING_IOU).any(dim=1)
    return tuple(bool(right[:rank].any()) for rank in RANKS)


class GroundingRecall:
    """Recall over phrases; every phrase counts once."""

    def __init__(self) -> None:
        self.hits: list[tuple[bool, ...]] = []

    def add(self, predicted: Sequence[Tensor], truths: Sequence[Tensor]) -> None:
        """Judge one caption.

        Args:
            predicted: per phrase, boxes best first, K 4.
            truths: per phrase, its true boxes; phrases without any are not judged.
        """
        pairs = zip(predicted, truths, strict=True)
        self.hits += [hits_at_ranks(boxes, truth) for boxes, truth in pairs if len(truth)]

    def metrics(self) -> dict[str, float]:
        """`recall_1`, `recall_5` and `recall_10`; 0 where no phrase was judged."""
        means = torch.tensor(self.hits, dtype=torch.float64).view(-1, len(RANKS)).sum(dim=0) / max(1, len(self.hits))
        return {f"recall_{rank}": float(mean) for rank, mean in zip(RANKS, means, strict=True)}
