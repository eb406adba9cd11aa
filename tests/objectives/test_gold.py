"""GOLD against sums written out by hand, and its policy from step to step."""

import math

import pytest
import torch
from torch import Tensor

from fiber.models.captioning_model import FiberForCaptioning
from fiber.objectives.captioning import CaptionInputs, caption_labels
from fiber.objectives.gold import GoldNormalization, GoldObjective, from_here, gold_loss, gold_weights

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


def batch(captioner: FiberForCaptioning) -> CaptionInputs:
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)).double()
    return CaptionInputs(pixels, IDS, IDS != PAD, (), torch.arange(2))


def disturb(model: FiberForCaptioning) -> None:
    with torch.no_grad():
        model.masked_language_modeling_head.decoder.bias.add_(torch.arange(50.0))


def objective() -> GoldObjective:
    return GoldObjective(refresh_every=10, normalization=GoldNormalization.TOKENS)


def test_first_policy_is_the_model_itself(captioner: FiberForCaptioning) -> None:
    inputs, labels = batch(captioner), caption_labels(IDS, PAD)
    own = captioner.token_logits(IDS, captioner.read_image(inputs.pixels), mask=inputs.mask)
    expected = gold_loss(own, labels, gold_weights(own, labels), normalization=GoldNormalization.TOKENS)
    torch.testing.assert_close(objective().losses(captioner, inputs, step=3)["gold"], expected)


def test_policy_stays_until_its_refreshment(captioner: FiberForCaptioning) -> None:
    gold, bias = objective(), captioner.masked_language_modeling_head.decoder.bias

    def policy_bias(step: int) -> Tensor:
        return gold.current_policy(captioner, step).masked_language_modeling_head.decoder.bias

    first = bias.clone()
    assert torch.equal(policy_bias(0), first)
    disturb(captioner)
    assert torch.equal(policy_bias(0), first)  # another micro-batch of the same step
    assert torch.equal(policy_bias(9), first)
    assert torch.equal(policy_bias(10), bias) and not torch.equal(bias, first)
    policy = gold.current_policy(captioner, 11)
    assert not any(parameter.requires_grad for parameter in policy.parameters())
    assert not policy.training


def test_policy_survives_an_interruption(captioner: FiberForCaptioning) -> None:
    gold = objective()
    gold.current_policy(captioner, 20)
    kept = {name: value.clone() for name, value in captioner.state_dict().items()}
    state = gold.state()
    assert state is not None
    disturb(captioner)
    for step in (20, 25):
        resumed = objective()
        resumed.restore(state)
        assert resumed.state() == state
        policy = resumed.current_policy(captioner, step)
        torch.testing.assert_close(policy.state_dict(), kept, rtol=0, atol=0)
    assert objective().state() is None


def test_policy_draws_no_random_number_of_the_run(captioner: FiberForCaptioning) -> None:
    before = torch.get_rng_state()
    objective().current_policy(captioner, 0)
    assert torch.equal(before, torch.get_rng_state())
