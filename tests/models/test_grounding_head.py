"""Predictions per cell.

Axes: B = 2 images, C = 16 channels, A cells, L = 6 tokens, D = 16 text width.
"""

import pytest
import torch
from torch import Tensor, nn

from fiber.models.detector_config import DetectorConfig
from fiber.models.grounding_head import GroundingHead

SIZES = ((8, 12), (4, 6), (2, 3), (1, 2), (1, 1))
MASK = torch.tensor([[True] * 4 + [False] * 2, [True] * 6])


@pytest.fixture
def head(tiny_detector_config: DetectorConfig) -> GroundingHead:
    """In float64 with parameters that all show."""
    torch.manual_seed(0)
    module = GroundingHead(tiny_detector_config).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


@pytest.fixture
def levels() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, 16, *size, generator=generator, dtype=torch.float64) for size in SIZES]


@pytest.fixture
def text() -> Tensor:
    return torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_token_logits_equal_the_formula(head: GroundingHead, levels: list[Tensor], text: Tensor) -> None:
    output = head(levels, text, MASK)
    tower: list[Tensor] = levels
    for block in head.blocks:
        tower = block(tower)
    for image in range(2):
        cells = [level[image, :, y, x] for level in tower for y in range(level.shape[2]) for x in range(level.shape[3])]
        for token in range(6):
            e = text[image, token] / text[image, token].norm()
            if not MASK[image, token]:
                e = torch.zeros_like(e)
            projected = head.text_projection.weight @ (e / 2) + head.text_projection.bias
            bias = e @ head.token_bias + head.prior_bias
            expected = torch.stack(cells) @ projected / head.log_scale.exp() + bias
            assert torch.allclose(output.token_logits[image, :, token], expected, atol=1e-9)


def test_boxes_and_centerness_follow_the_cells_with_a_scale_per_level(
    head: GroundingHead, levels: list[Tensor], text: Tensor
) -> None:
    output = head(levels, text, MASK)
    tower: list[Tensor] = levels
    for block in head.blocks:
        tower = block(tower)
    assert output.level_sizes == SIZES
    start = 0
    for level, x in enumerate(tower):
        for row in range(x.shape[2]):
            for column in range(x.shape[3]):
                cell = x[:, :, row, column]
                place = start + row * x.shape[3] + column
                deltas = cell @ head.box.weight[:, :, 0, 0].T + head.box.bias
                assert torch.allclose(output.deltas[:, place], head.level_scales[level] * deltas, atol=1e-9)
                centerness = cell @ head.centerness.weight[0, :, 0, 0] + head.centerness.bias
                assert torch.allclose(output.centerness[:, place], centerness, atol=1e-9)
        start += x.shape[2] * x.shape[3]
    assert output.deltas.shape[1] == start


def test_the_length_of_a_token_and_what_stands_in_padding_do_not_matter(
    head: GroundingHead, levels: list[Tensor], text: Tensor
) -> None:
    expected = head(levels, text, MASK)
    other = text * 7
    other[0, 4:] = 1e3
    found = head(levels, other, MASK)
    assert torch.allclose(found.token_logits, expected.token_logits, atol=1e-9)


def test_boxes_do_not_depend_on_the_text_of_the_head(head: GroundingHead, levels: list[Tensor], text: Tensor) -> None:
    first, second = head(levels, text, MASK), head(levels, text.flip(1), MASK)
    assert torch.equal(first.deltas, second.deltas)
    assert torch.equal(first.centerness, second.centerness)
    assert not torch.allclose(first.token_logits, second.token_logits)


def test_a_fresh_head_gives_every_word_the_prior_probability(
    tiny_detector_config: DetectorConfig, levels: list[Tensor], text: Tensor
) -> None:
    torch.manual_seed(0)
    head = GroundingHead(tiny_detector_config).double()
    assert head.prior_bias.item() == pytest.approx(-4.59512, abs=1e-5)
    assert head.level_scales.tolist() == [1] * 5
    nn.init.zeros_(head.text_projection.weight)
    nn.init.zeros_(head.text_projection.bias)
    probabilities = head(levels, text, MASK).token_logits.sigmoid()
    assert torch.allclose(probabilities, torch.full_like(probabilities, 0.01), atol=1e-8)


def test_fresh_predictors_are_small(tiny_detector_config: DetectorConfig) -> None:
    torch.manual_seed(0)
    head = GroundingHead(tiny_detector_config)
    for layer in (head.box, head.centerness):
        assert 0 < layer.weight.abs().max() < 0.05
        assert layer.bias is not None
        assert layer.bias.eq(0).all()


def test_logits_are_clamped(head: GroundingHead, levels: list[Tensor], text: Tensor) -> None:
    nn.init.constant_(head.log_scale, -30.0)
    logits = head(levels, text, MASK).token_logits
    assert (logits.min().item(), logits.max().item()) == (-50000, 50000)


def test_predictions_are_float32_under_autocast(tiny_detector_config: DetectorConfig) -> None:
    head = GroundingHead(tiny_detector_config)
    levels = [torch.randn(2, 16, *size) for size in SIZES]
    with torch.autocast("cpu", torch.bfloat16):
        output = head(levels, torch.randn(2, 6, 16), MASK)
    assert {part.dtype for part in output[:3]} == {torch.float32}
