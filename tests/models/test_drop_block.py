"""Blanked squares of a map."""

import pytest
import torch

from fiber.models.drop_block import DropBlock, blank_blocks


def test_squares_around_the_centres_are_blanked_in_all_channels_and_the_rest_scaled_up() -> None:
    x = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    centres = torch.zeros(2, 6, 7)
    centres[0, 2, 3] = centres[0, 0, 0] = 1  # squares of 9 and, at the corner, 4 cells
    output = blank_blocks(x, centres, 3)
    keep = torch.ones(6, 7, dtype=torch.bool)
    keep[1:4, 2:5] = keep[:2, :2] = False
    scale = 84 / (84 - 13)  # of both images together
    assert torch.allclose(output[0], x[0] * keep * scale, atol=1e-12)
    assert torch.allclose(output[1], x[1] * scale, atol=1e-12)


def test_it_does_nothing_in_evaluation_or_without_a_share() -> None:
    x = torch.randn(1, 2, 4, 4)
    assert DropBlock(0.9).eval()(x) is x
    assert DropBlock(0.0).train()(x) is x


def test_about_the_share_is_blanked_and_the_mean_kept() -> None:
    torch.manual_seed(0)
    output = DropBlock(0.3).train()(torch.ones(4, 2, 100, 100))
    blanked = output.eq(0).float().mean().item()
    assert blanked == pytest.approx(1 - (1 - 0.3 / 9) ** 9, abs=0.02)  # squares overlap
    assert output.mean().item() == pytest.approx(1, abs=1e-4)
    assert torch.equal(output[:, 0], output[:, 1])
    assert not torch.equal(output[0], output[1])


def test_a_map_that_is_blanked_whole_becomes_zero() -> None:
    x = torch.randn(1, 2, 2, 2, requires_grad=True)
    output = blank_blocks(x, torch.ones(1, 2, 2), 3)
    assert output.eq(0).all()
    output.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
