"""Likelihood of captions against a sum written out by hand."""

import math

import pytest
import torch
from torch import Tensor

from fiber.objectives.captioning import caption_labels
from fiber.objectives.masked_language_modeling import token_loss

PAD = 1
IDS = torch.tensor([[0, 5, 6, 2], [0, 4, 2, PAD]])
LABELS = [[5, 6, 2, -100], [4, 2, -100, -100]]


def logits(seed: int) -> Tensor:
    return torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def probabilities(values: Tensor) -> list[list[float]]:
    """Of the labels, row by row."""
    softmax = values.softmax(dim=-1)
    return [
        [float(softmax[row, position, label]) for position, label in enumerate(labels) if label >= 0]
        for row, labels in enumerate(LABELS)
    ]


def test_labels_are_the_next_tokens_without_padding() -> None:
    assert caption_labels(IDS, PAD).tolist() == LABELS


def test_likelihood_is_the_mean_over_predicted_tokens() -> None:
    expected = -sum(math.log(p) for row in probabilities(logits(0)) for p in row) / 5
    assert token_loss(logits(0), caption_labels(IDS, PAD)).item() == pytest.approx(expected)
