"""GOLD: captions learned off-policy, weighted by how good a frozen policy finds them (Pang and He 2021).

Axes: B captions, L tokens, V vocabulary.
"""

from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from fiber.models.captioning_model import FiberForCaptioning
from fiber.objectives.captioning import (
    CaptionInputs,
    CaptionObjective,
    caption_labels,
    label_log_probabilities,
    teacher_forced_logits,
)
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


class GoldObjective(CaptionObjective):
    """The weighted cross-entropy, and the policy.

    Args:
        refresh_every: optimiser steps after which the policy becomes what the model is.
        normalization: of the sum over tokens.
    """

    def __init__(self, *, refresh_every: int = 1000, normalization: GoldNormalization) -> None:
        self.refresh_every = refresh_every
        self.normalization = normalization
        self.policy: FiberForCaptioning | None = None
        """A copy without gradients. It is no part of the model, so no optimiser, wrapper or export meets it."""
        self.refreshed_at = -1
        self.weights_to_restore: dict[str, Tensor] | None = None

    def losses(self, model: FiberForCaptioning, inputs: CaptionInputs, *, step: int) -> dict[str, Tensor]:
        policy = self.current_policy(model, step)
        labels = caption_labels(inputs.token_ids, model.config.text.pad_id)
        with torch.no_grad():
            weights = gold_weights(teacher_forced_logits(policy, inputs), labels)
        logits = teacher_forced_logits(model, inputs)
        return {"gold": gold_loss(logits, labels, weights, normalization=self.normalization)}

    def current_policy(self, model: FiberForCaptioning, step: int) -> FiberForCaptioning:
        """The policy of this step, refreshed where its time has come."""
        due = step % self.refresh_every == 0 and step != self.refreshed_at
        if self.policy is None:
            self.policy = untrained_copy(model)
            due = due or self.weights_to_restore is None
        if due:
            self.policy.load_state_dict(model.state_dict())
            self.refreshed_at = step
        elif self.weights_to_restore is not None:
            self.policy.load_state_dict(self.weights_to_restore)
        self.weights_to_restore = None
        return self.policy

    def state(self) -> dict[str, Any] | None:
        weights = self.weights_to_restore if self.policy is None else self.policy.state_dict()
        return None if weights is None else {"refreshed_at": self.refreshed_at, "weights": weights}

    def restore(self, state: dict[str, Any]) -> None:
        self.refreshed_at = state["refreshed_at"]
        self.weights_to_restore = state["weights"]


def untrained_copy(model: FiberForCaptioning) -> FiberForCaptioning:
    """A model of the same sizes that learns nothing, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):  # its first weights must not move the run's random numbers
        copy = FiberForCaptioning(model.config)
    parameter = next(model.parameters())
    return copy.to(parameter.device, parameter.dtype).requires_grad_(False).eval()


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
