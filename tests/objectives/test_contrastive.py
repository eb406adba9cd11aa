"""The contrastive loss against its definition, row by row."""

import math

import pytest
import torch
import torch.nn.functional as F

from fiber.objectives.contrastive import clamp_temperature, contrastive_loss, similarities


def test_loss_equals_the_definition_and_leaves_invalid_keys_out() -> None:
    torch.manual_seed(0)
    image, text = F.normalize(torch.randn(3, 4), dim=-1), F.normalize(torch.randn(3, 4), dim=-1)
    image_keys = torch.cat([image, F.normalize(torch.randn(2, 4), dim=-1), torch.full((2, 4), 1e3)])
    text_keys = torch.cat([text, F.normalize(torch.randn(2, 4), dim=-1), torch.full((2, 4), 1e3)])
    valid = torch.tensor([True] * 5 + [False] * 2)
    similarity = similarities(
        image, text, image_keys=image_keys, text_keys=text_keys, valid=valid, temperature=torch.tensor(0.1)
    )
    loss = contrastive_loss(similarity, torch.arange(3))

    expected = 0.0
    for row in range(3):
        for query, keys in ((image[row], text_keys), (text[row], image_keys)):
            logits = [float(query @ keys[column]) / 0.1 for column in range(5)]
            expected -= (logits[row] - math.log(sum(map(math.exp, logits)))) / 6
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_keys_get_no_gradient_but_the_temperature_does() -> None:
    image = torch.randn(2, 4, requires_grad=True)
    temperature = torch.tensor(0.5, requires_grad=True)
    keys = image.detach()
    similarity = similarities(
        image, image, image_keys=keys, text_keys=keys, valid=torch.ones(2, dtype=torch.bool), temperature=temperature
    )
    contrastive_loss(similarity, torch.arange(2)).backward()
    assert temperature.grad is not None and temperature.grad.abs() > 0


@pytest.mark.parametrize(("before", "after"), [(0.0001, 0.001), (0.07, 0.07), (3.0, 1.0)])
def test_temperature_stays_in_its_range(before: float, after: float) -> None:
    temperature = torch.nn.Parameter(torch.tensor(before))
    clamp_temperature(temperature)
    assert temperature.item() == pytest.approx(after)
