"""Masked language modelling loss (paper section 3.2, MLM). Axes: B texts, L tokens, V vocabulary."""

import torch.nn.functional as F
from torch import Tensor

from fiber.utils.distributed import mean_over_processes, world_size

IGNORED = -100
"""Label of tokens that were not selected."""


def token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the selected tokens, normalised by their number over all processes.

    Each process divides its sum by the mean count, so that averaging gradients over processes gives the loss of the
    global batch. A batch without a selected token gives 0.

    Args:
        logits: B L V.
        labels: int64 B L, -100 elsewhere.
    """
    total = token_loss_sum(logits, labels)
    count = mean_over_processes((labels != IGNORED).sum().to(total.dtype))
    return total / count.clamp(min=1 / world_size())


def token_loss_sum(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy summed over selected tokens."""
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum")


def token_accuracy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Number of selected tokens predicted rightly, and of selected tokens."""
    selected = labels != IGNORED
    return ((logits.argmax(dim=-1) == labels) & selected).sum(), selected.sum()
