"""Caption losses with teacher forcing: likelihood, and GOLD (Pang and He 2021).

Axes: B captions, L tokens, V vocabulary. Position i predicts token i + 1.
"""

from enum import StrEnum

import torch
import torch.nn.functional as F
from torch import Tensor

from fiber.objectives.masked_language_modeling import IGNORED
from fiber.utils.distributed import mean_over_processes, world_size

PROBABILITY_FLOOR = 1e-9
SMALLEST_WEIGHT = 0.1
"""Of a token in GOLD, as in the original."""


class GoldNormalization(StrEnum):
    """What the weighted sum of GOLD is divided by."""

    TOKENS = "tokens"
    """The number of predicted tokens of all captions."""
    ORIGINAL = "original"
    """For every caption the number of padding tokens after it, then the mean over captions: as the original computes,
    so that long captions weigh far more than short ones."""


def caption_labels(token_ids: Tensor, pad_id: int) -> Tensor:
    """The token after each one, -100 where there is none: int64 B L -> B L."""
    labels = F.pad(token_ids[:, 1:], (0, 1), value=pad_id)
    return labels.masked_fill(labels == pad_id, IGNORED)


def label_log_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    """Log-probability of every label, 0 where it is ignored: B L V, int64 B L -> B L."""
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none")
    return -loss.view_as(labels)


@torch.no_grad()
def gold_weights(policy_logits: Tensor, labels: Tensor) -> Tensor:
    """Importance of every token: its probability under the policy times the mean probability from it to the end.

    Args:
        policy_logits: of the policy with teacher forcing, B L V.
        labels: int64 B L, -100 where ignored; all ignored ones come last.

    Returns:
        B L, at least 0.1.
    """
    real = labels != IGNORED
    probability = label_log_probabilities(policy_logits, labels).exp() + PROBABILITY_FLOOR
    probability = probability * real
    returns = from_here(probability) / from_here(real.to(probability.dtype)).clamp(min=1)
    return (returns * probability).clamp(min=SMALLEST_WEIGHT)


def from_here(values: Tensor) -> Tensor:
    """Sum of each value and all after it, along the last axis."""
    return values.flip(-1).cumsum(-1).flip(-1)


def gold_loss(logits: Tensor, labels: Tensor, weights: Tensor, *, normalization: GoldNormalization) -> Tensor:
    """Weighted cross-entropy.

    Averaging gradients over processes gives the loss of the global batch, as in `token_loss`.

    Args:
        logits: B L V.
        labels: int64 B L, -100 where ignored.
        weights: B L.
        normalization: of the sum over tokens.
    """
    weighted = -label_log_probabilities(logits, labels) * weights
    real = labels != IGNORED
    if normalization is GoldNormalization.ORIGINAL:
        padding = (~real).sum(dim=1) + PROBABILITY_FLOOR
        return (weighted.sum(dim=1) / padding).mean()
    count = mean_over_processes(real.sum().to(weighted.dtype))
    return weighted.sum() / count.clamp(min=1 / world_size())
