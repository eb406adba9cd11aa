"""A block of the dynamic head against a literal reading.

Axes: B = 2 images, C = 8 channels, T = 9 taps.
"""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fiber.models.deformable_convolution import Sampling, deform_convolve
from fiber.models.detector_config import CoarserSampling
from fiber.models.dynamic_head import DynamicHeadBlock, NormedDeformableConvolution, rewrap

SIZES = ((10, 14), (5, 7), (3, 4), (2, 2))


@pytest.fixture
def levels() -> list[Tensor]:
    """Four levels with odd sizes."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 8, *size, generator=generator, dtype=torch.float64) for size in SIZES]


def make_block(coarser_sampling: CoarserSampling = CoarserSampling.REWRAPPED) -> DynamicHeadBlock:
    """A block in float64 in which every part shows: nothing is 0 or 1."""
    torch.manual_seed(0)
    block = DynamicHeadBlock(8, num_groups=2, coarser_sampling=coarser_sampling).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.4)
    return block


def literal_rewrap(x: Tensor, size: tuple[int, int]) -> Tensor:
    """The flat numbers of each image, number by number."""
    h, w = size
    output = torch.empty(len(x), x.shape[1], h, w, dtype=x.dtype)
    for image, channel, row, column in product(*map(range, output.shape)):
        flat = (channel * h + row) * w + column
        k, rest = divmod(flat, x.shape[2] * x.shape[3])
        output[image, channel, row, column] = x[image, k, rest // x.shape[3], rest % x.shape[3]]
    return output


def literal_branch(
    branch: NormedDeformableConvolution, x: Tensor, offsets: Tensor, mask: Tensor, stride: int
) -> Tensor:
    layer, norm = branch.convolution, branch.norm
    convolved = deform_convolve(x, Sampling(offsets, mask), layer.weight, layer.bias, stride=stride)
    return F.group_norm(convolved, norm.num_groups, norm.weight, norm.bias, 1e-5)


def literal_level(block: DynamicHeadBlock, levels: list[Tensor], index: int) -> Tensor:
    """New value of one level by the published steps."""
    predicted = F.conv2d(levels[index], block.sampling.weight, block.sampling.bias, padding=1)
    offsets, mask = predicted[:, :18], predicted[:, 18:].sigmoid()
    branches = [literal_branch(block.from_same, levels[index], offsets, mask, 1)]
    if index > 0:
        branches.append(literal_branch(block.from_finer, levels[index - 1], offsets, mask, 2))
    if index + 1 < len(levels):
        size = SIZES[index + 1]
        if block.coarser_sampling is CoarserSampling.REWRAPPED:
            offsets, mask = literal_rewrap(offsets, size), literal_rewrap(mask, size)
        else:
            offsets, mask = (F.interpolate(part, size, mode="bilinear") for part in (offsets, mask))
        small = literal_branch(block.from_coarser, levels[index + 1], offsets, mask, 1)
        branches.append(F.interpolate(small, SIZES[index], mode="bilinear", align_corners=True))
    gated = []
    for branch in branches:
        mean = branch.mean(dim=(2, 3), keepdim=True)
        z = F.conv2d(mean, block.scale_attention.weight, block.scale_attention.bias).clamp(min=0)
        gated.append(branch * (z + 3).clamp(0, 6) / 6)
    value: Tensor = block.activation(sum(gated) / len(gated))
    return value


@pytest.mark.parametrize("coarser_sampling", list(CoarserSampling))
def test_every_level_equals_a_literal_reading(levels: list[Tensor], coarser_sampling: CoarserSampling) -> None:
    block = make_block(coarser_sampling)
    before = [level.clone() for level in levels]
    output = block(levels)
    assert len(output) == len(levels)
    for index, level in enumerate(output):
        assert torch.allclose(level, literal_level(block, before, index), atol=1e-9)


@pytest.mark.parametrize(("size", "smaller"), [((4, 6), (2, 3)), ((5, 7), (3, 4)), ((3, 3), (2, 2)), ((1, 1), (1, 1))])
def test_rewrapping_reads_the_first_numbers_of_each_image(size: tuple[int, int], smaller: tuple[int, int]) -> None:
    x = torch.arange(2 * 18 * size[0] * size[1]).view(2, 18, *size)
    assert torch.equal(rewrap(x, smaller), literal_rewrap(x, smaller))


def test_rewrapping_takes_a_map_that_is_not_contiguous() -> None:
    whole = torch.randn(2, 27, 4, 6)
    part = whole.split([18, 9], dim=1)[1]
    assert torch.equal(rewrap(part, (2, 3)), literal_rewrap(part, (2, 3)))


def test_the_gate_lies_between_a_half_and_one() -> None:
    block = make_block()
    branches = torch.randn(500, 8, 1, 1, dtype=torch.float64) * 20
    gates = block.gate(branches)
    assert gates.shape == (500, 1, 1, 1)
    assert gates.min().item() == pytest.approx(0.5)
    assert gates.max().item() == pytest.approx(1.0)
    assert ((gates > 0.51) & (gates < 0.99)).any()


def test_fresh_gates_are_near_a_half() -> None:
    torch.manual_seed(0)
    block = DynamicHeadBlock(64, num_groups=4, coarser_sampling=CoarserSampling.REWRAPPED)
    assert block.scale_attention.weight.std().item() == pytest.approx(0.01, rel=0.3)
    assert block.scale_attention.bias is not None
    assert block.scale_attention.bias.item() == 0
    assert block.sampling.weight.abs().max() > 0  # places to look at are not still at the start


def test_a_single_level_has_itself_alone(levels: list[Tensor]) -> None:
    block = make_block()
    (found,) = block(levels[:1])
    assert torch.allclose(found, literal_level(block, levels[:1], 0), atol=1e-9)
