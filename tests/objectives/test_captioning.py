"""Caption losses against sums written out by hand."""

import math

import pytest
import torch
from torch import Tensor

from fiber.objectives.captioning import GoldNormalization, caption_labels, from_here, gold_loss, gold_weights
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


def test_sums_from_each_token_to_the_end() -> None:
    assert from_here(torch.tensor([1.0, 2.0, 4.0])).tolist() == [7, 6, 4]


def test_gold_weights_are_probability_times_mean_probability_to_come() -> None:
    policy = logits(1) * 3  # some weights above the floor, some below
    weights = gold_weights(policy, caption_labels(IDS, PAD))
    for row, chances in zip(weights.tolist(), probabilities(policy), strict=True):
        for position, chance in enumerate(chances):
            returns = sum(chances[position:]) / len(chances[position:])
            assert row[position] == pytest.approx(max(returns * chance, 0.1), rel=1e-6)
    assert 0.1 < weights.max() < 1 and weights.min() == 0.1


@pytest.mark.parametrize(
    ("normalization", "divisors"),
    [
        (GoldNormalization.TOKENS, (5, 5)),
        (GoldNormalization.ORIGINAL, (1 * 2, 2 * 2)),  # one and two paddings; mean of two captions
    ],
)
def test_gold_loss_by_either_normalisation(normalization: GoldNormalization, divisors: tuple[int, int]) -> None:
    weights = torch.tensor([[0.5, 0.2, 0.9, 0.3], [0.4, 0.7, 0.1, 0.1]], dtype=torch.float64)
    expected = sum(
        -math.log(p) * weight / divisor
        for chances, row, divisor in zip(probabilities(logits(0)), weights.tolist(), divisors, strict=True)
        for p, weight in zip(chances, row, strict=False)
    )
    value = gold_loss(logits(0), caption_labels(IDS, PAD), weights, normalization=normalization)
    assert value.item() == pytest.approx(expected)


def test_gold_weights_carry_no_gradient() -> None:
    policy = logits(0).requires_grad_()
    assert not gold_weights(policy, caption_labels(IDS, PAD)).requires_grad
