"""The pyramid level by level."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fiber.models.feature_pyramid import FeaturePyramid

WIDTHS = (4, 6, 8)


def make_stages(size: tuple[int, int]) -> list[Tensor]:
    """Three stages, the first of `size`."""
    generator = torch.Generator().manual_seed(0)
    sizes = [(size[0] // 2**level, size[1] // 2**level) for level in range(3)]
    return [
        torch.randn(2, width, *one, generator=generator, dtype=torch.float64)
        for width, one in zip(WIDTHS, sizes, strict=True)
    ]


@pytest.fixture
def pyramid() -> FeaturePyramid:
    torch.manual_seed(0)
    module = FeaturePyramid(WIDTHS, channels=5).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter)  # biases too
    return module


def convolve(x: Tensor, layer: nn.Module, **options: int) -> Tensor:
    assert isinstance(layer, nn.Conv2d)
    return F.conv2d(x, layer.weight, layer.bias, **options)


def up(x: Tensor) -> Tensor:
    """Every cell four times."""
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


@pytest.mark.parametrize("size", [(12, 20), (8, 4), (4, 4)])
def test_levels_equal_the_formula(pyramid: FeaturePyramid, size: tuple[int, int]) -> None:
    fine, middle, coarse = make_stages(size)
    top = convolve(coarse, pyramid.lateral[2])
    centre = convolve(middle, pyramid.lateral[1]) + up(top)
    bottom = convolve(fine, pyramid.lateral[0]) + up(centre)
    levels = [
        convolve(part, layer, padding=1) for part, layer in zip((bottom, centre, top), pyramid.smooth, strict=True)
    ]
    levels.append(convolve(levels[2], pyramid.extra[0], stride=2, padding=1))
    levels.append(convolve(levels[3].relu(), pyramid.extra[1], stride=2, padding=1))
    found = pyramid([fine, middle, coarse])
    assert len(found) == 5
    for level, expected in zip(found, levels, strict=True):
        assert torch.allclose(level, expected, atol=1e-10)


def test_blanks_are_not_handed_down_and_spare_the_coarsest_stage(pyramid: FeaturePyramid) -> None:
    stages = make_stages((12, 20))
    plain = pyramid(stages)
    calls: list[Tensor] = []

    def blank(x: Tensor) -> Tensor:
        calls.append(x)
        return torch.zeros_like(x)

    pyramid.drop_block.forward = blank  # type: ignore[method-assign]
    dropped = pyramid(stages)
    for level in (2, 3, 4):
        assert torch.equal(dropped[level], plain[level])
    for level in (0, 1):
        bias = pyramid.smooth[level].bias
        assert isinstance(bias, Tensor)
        assert torch.allclose(dropped[level], bias.view(1, 5, 1, 1).expand_as(dropped[level]))
    middle, fine = calls
    handed_down = fine - convolve(stages[0], pyramid.lateral[0])
    assert torch.allclose(handed_down, up(middle), atol=1e-12)


def test_fresh_weights_are_uniform_for_a_layer_that_keeps_the_variance() -> None:
    torch.manual_seed(0)
    module = FeaturePyramid((64, 64), channels=64)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            bound = (3 / layer.weight[0].numel()) ** 0.5
            assert layer.weight.abs().max().item() == pytest.approx(bound, rel=5e-3)
            assert layer.bias is not None
            assert layer.bias.eq(0).all()
