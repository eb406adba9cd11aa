"""Deformable convolution: the CPU's way against torchvision's.

Axes: B = 2 images, C = 3 channels in, O = 4 out, T = 9 taps.
"""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fiber.models.deformable_convolution import (
    DeformableConvolution,
    Sampling,
    deform_convolve,
    deform_convolve_rows,
)

Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def make_inputs(size: tuple[int, int], stride: int, spread: float, num_images: int = 2) -> Inputs:
    """Input, offsets, mask, weight and bias in float64, all wanting gradients."""
    generator = torch.Generator().manual_seed(sum(size))
    h, w = (-(-side // stride) for side in size)
    shapes = [(num_images, 3, *size), (num_images, 18, h, w), (num_images, 9, h, w), (4, 3, 3, 3), (4,)]
    x, offsets, mask, weight, bias = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    parts = (x, offsets * spread, mask.sigmoid(), weight, bias)
    return tuple(part.requires_grad_() for part in parts)  # type: ignore[return-value]


def outcome(convolve: Callable[..., Tensor], inputs: Inputs, stride: int) -> list[Tensor]:
    """Value and gradients."""
    x, offsets, mask, weight, bias = inputs
    value = convolve(x, Sampling(offsets, mask), weight, bias, stride=stride)
    looked_at = (value * torch.arange(value.numel(), dtype=value.dtype).view_as(value).cos()).sum()
    return [value, *torch.autograd.grad(looked_at, inputs)]


@pytest.mark.parametrize("spread", [0.3, 2.0, 30.0])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(6, 8), (7, 5), (1, 3), (1, 1)])
def test_rows_equal_the_kernel_in_value_and_gradients(size: tuple[int, int], stride: int, spread: float) -> None:
    inputs = make_inputs(size, stride, spread)
    ours, theirs = (outcome(convolve, inputs, stride) for convolve in (deform_convolve_rows, deform_convolve))
    for mine, expected in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("stride", [1, 2])
def test_without_offsets_it_is_a_convolution(stride: int) -> None:
    x, offsets, mask, weight, bias = make_inputs((7, 6), stride, 1.0)
    still = Sampling(torch.zeros_like(offsets), torch.ones_like(mask))
    expected = F.conv2d(x, weight, bias, stride=stride, padding=1)
    assert torch.allclose(deform_convolve_rows(x, still, weight, bias, stride=stride), expected, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2])
def test_gradients_equal_differences(stride: int) -> None:
    inputs = make_inputs((3, 4), stride, 0.4, num_images=1)

    def convolve(x: Tensor, offsets: Tensor, mask: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return deform_convolve_rows(x, Sampling(offsets, mask), weight, bias, stride=stride)

    assert torch.autograd.gradcheck(convolve, inputs, atol=1e-6)


def test_images_of_a_batch_do_not_meet() -> None:
    x, offsets, mask, weight, bias = (part.detach() for part in make_inputs((5, 6), 1, 3.0))
    both = deform_convolve_rows(x, Sampling(offsets, mask), weight, bias, stride=1)
    for image in range(2):
        one = slice(image, image + 1)
        alone = deform_convolve_rows(x[one], Sampling(offsets[one], mask[one]), weight, bias, stride=1)
        assert torch.allclose(both[one], alone, atol=1e-12)


def test_a_place_far_outside_contributes_nothing() -> None:
    x, offsets, mask, weight, bias = make_inputs((5, 6), 1, 1.0)
    value = deform_convolve_rows(x, Sampling(torch.full_like(offsets, 1e6), mask), weight, bias, stride=1)
    assert torch.allclose(value, bias.view(1, 4, 1, 1).expand_as(value))


def test_the_module_runs_in_float32_under_autocast() -> None:
    torch.manual_seed(0)
    module = DeformableConvolution(3)
    torch.nn.init.normal_(module.bias)
    x, offsets, mask, *_ = (part.detach().float() for part in make_inputs((6, 5), 1, 1.0))
    expected = module(x.bfloat16().float(), Sampling(offsets, mask))
    with torch.autocast("cpu", torch.bfloat16):
        found = module(x.bfloat16(), Sampling(offsets, mask))
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


def test_fresh_weights_lie_within_the_original_bound() -> None:
    torch.manual_seed(0)
    module = DeformableConvolution(256)
    assert module.weight.abs().max().item() == pytest.approx(2304**-0.5, rel=1e-3)
    assert module.weight.std().item() == pytest.approx((3 * 2304) ** -0.5, rel=1e-2)
    assert module.bias.eq(0).all()
