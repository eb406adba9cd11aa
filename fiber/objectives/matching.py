"""Image-text matching loss (paper section 3.2, ITM). Axes: B pairs."""

import torch
import torch.nn.functional as F
from torch import Tensor


def matching_labels(num_positives: int, num_negatives: int, device: torch.device) -> Tensor:
    """int64, ones for the positives, which come first, then zeros."""
    return (torch.arange(num_positives + num_negatives, device=device) < num_positives).long()


def matching_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Two-way cross-entropy, mean over pairs; float B 2, int64 B."""
    return F.cross_entropy(logits, labels)


def matching_accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of pairs judged rightly, in [0, 1]."""
    return (logits.argmax(dim=-1) == labels).float().mean()
