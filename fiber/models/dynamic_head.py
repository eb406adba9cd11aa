"""Dynamic head (Dai et al. 2021): attention over place, scale and channel on a feature pyramid.

Axes: B images, C channels, h w map of a level, T = 9 taps of a deformable convolution.
"""

from collections.abc import Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fiber.models.deformable_convolution import TAPS, DeformableConvolution, Sampling
from fiber.models.detector_config import CoarserSampling
from fiber.models.dynamic_relu import DynamicRelu


class NormedDeformableConvolution(nn.Module):
    """Deformable convolution and group norm."""

    def __init__(self, channels: int, *, num_groups: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = DeformableConvolution(channels, stride=stride)
        self.norm = nn.GroupNorm(num_groups, channels)

    def forward(self, x: Tensor, sampling: Sampling) -> Tensor:
        """B C H W -> B C h w."""
        output: Tensor = self.norm(self.convolution(x, sampling))
        return output


class DynamicHeadBlock(nn.Module):
    """Every level gathers from itself and its neighbours; all levels read the block's input.

    Where to look is told by the level that gathers (spatial attention), how much each neighbour counts by one gate per
    image (scale attention), and a dynamic ReLU follows (task attention). Weights are shared by all levels.
    """

    def __init__(self, channels: int, *, num_groups: int, coarser_sampling: CoarserSampling) -> None:
        super().__init__()
        self.coarser_sampling = coarser_sampling
        self.sampling = nn.Conv2d(channels, 3 * TAPS, 3, padding=1)
        self.from_coarser = NormedDeformableConvolution(channels, num_groups=num_groups)
        self.from_same = NormedDeformableConvolution(channels, num_groups=num_groups)
        self.from_finer = NormedDeformableConvolution(channels, num_groups=num_groups, stride=2)
        self.scale_attention = nn.Conv2d(channels, 1, 1)
        self.activation = DynamicRelu(channels)
        nn.init.normal_(self.scale_attention.weight, std=0.01)
        assert self.scale_attention.bias is not None
        nn.init.zeros_(self.scale_attention.bias)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Levels fine to coarse, B C h w each -> the same shapes."""
        return [self.gather(levels, index) for index in range(len(levels))]

    def gather(self, levels: Sequence[Tensor], index: int) -> Tensor:
        """New value of one level, B C h w."""
        size = levels[index].shape[-2:]
        offsets, mask = self.sampling(levels[index]).split([2 * TAPS, TAPS], dim=1)
        sampling = Sampling(offsets, mask.sigmoid())
        branches = [self.from_same(levels[index], sampling)]
        if index > 0:
            branches.append(self.from_finer(levels[index - 1], sampling))
        if index + 1 < len(levels):
            small = self.sampling_for_coarser(sampling, levels[index + 1])
            branch = self.from_coarser(levels[index + 1], small)
            branches.append(F.interpolate(branch, size=size, mode="bilinear", align_corners=True))
        # The mean of the weighted branches, its division done on the gates, which are single numbers.
        shares = [(self.gate(branch) / len(branches)) * branch for branch in branches]
        output: Tensor = self.activation(reduce(torch.add, shares))
        return output

    def gate(self, branch: Tensor) -> Tensor:
        """Scale attention: B C h w -> B 1 1 1 in [0.5, 1]."""
        return F.hardsigmoid(F.relu(self.scale_attention(branch.mean(dim=(2, 3), keepdim=True))))

    def sampling_for_coarser(self, sampling: Sampling, coarser: Tensor) -> Sampling:
        """The gathering level's sampling at the size of the next coarser one."""
        size = (coarser.shape[-2], coarser.shape[-1])
        if self.coarser_sampling is CoarserSampling.REWRAPPED:
            return Sampling(*(rewrap(part, size) for part in sampling))
        return Sampling(*(F.interpolate(part, size=size, mode="bilinear", align_corners=False) for part in sampling))


def rewrap(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Read the first numbers of each image as a map of another size, B K H W -> B K h w.

    The original's kernel takes the offset buffer of a level for one of its output's size without looking, so that it
    reads about the first quarter of it, in rows of another length. Weights trained with it need the same.
    """
    wanted = x.shape[1] * size[0] * size[1]
    return x.flatten(1)[:, :wanted].view(len(x), x.shape[1], *size)
