"""Referring expressions: is one of the best boxes the object that is meant?

Axes: K boxes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor
from torchvision.ops import box_iou, generalized_box_iou

from fiber.evaluation.grounding_recall import RANKS, hits_at_ranks


class JudgedExpression(NamedTuple):
    """One expression; nothing found is a miss."""

    hits_iou: tuple[bool, ...]
    """Whether one of the first boxes is right, by rank: the literature's criterion."""
    hits_giou: tuple[bool, ...]
    """The same by generalised IoU (Rezatofighi et al. 2019), which is never more: FIBER's and MDETR's criterion."""
    best_iou: float
    """IoU of the first box, in [0, 1]; 0 where nothing was found."""


def judge_expression(predicted: Tensor, truth: Tensor) -> JudgedExpression:
    """Compare what was found with the object.

    Args:
        predicted: K 4, best first, continuous xyxy in pixels of the image.
        truth: 1 4, the object.
    """
    if len(predicted) == 0:
        nothing = (False,) * len(RANKS)
        return JudgedExpression(nothing, nothing, 0.0)
    iou, giou = box_iou(predicted, truth)[:, 0], generalized_box_iou(predicted, truth)[:, 0]  # K
    return JudgedExpression(hits_at_ranks(iou), hits_at_ranks(giou), float(iou[0]))


def mean_precision(expressions: Sequence[JudgedExpression]) -> dict[str, float]:
    """`precision_1_iou`, `precision_5_iou`, ..., `precision_10_giou`, in [0, 1].

    Args:
        expressions: at least one.
    """
    iou = np.mean([one.hits_iou for one in expressions], axis=0)
    giou = np.mean([one.hits_giou for one in expressions], axis=0)
    by_iou = {f"precision_{rank}_iou": float(value) for rank, value in zip(RANKS, iou, strict=True)}
    return by_iou | {f"precision_{rank}_giou": float(value) for rank, value in zip(RANKS, giou, strict=True)}
