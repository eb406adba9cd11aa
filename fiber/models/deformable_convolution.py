"""Modulated deformable convolution (Zhu et al. 2019), 3 x 3.

Axes: B images, C input and O output channels, H W input map, h w output map, T = 9 taps of the kernel.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

TAPS = 9
SAMPLED_AT_ONCE = 2**20
"""Numbers sampled before they are multiplied with the kernel: few enough to stay in a processor's cache."""


class Sampling(NamedTuple):
    """Where a deformable convolution looks, for every output cell and tap."""

    offsets: Tensor
    """B 2T h w, in input cells, each tap's vertical offset before its horizontal one."""
    mask: Tensor
    """B T h w, factor of the sampled value in (0, 1)."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the output."""
        return self.mask.shape[-2], self.mask.shape[-1]


class DeformableConvolution(nn.Module):
    """A 3 x 3 convolution that samples its input where it is told to. Runs in float32 whatever the autocast."""

    def __init__(self, channels: int, *, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        bound = (TAPS * channels) ** -0.5
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, sampling: Sampling) -> Tensor:
        """B C H W -> B C h w."""
        with torch.autocast(x.device.type, enabled=False):
            dtype = self.weight.dtype
            sampling = Sampling(*(part.to(dtype).contiguous() for part in sampling))
            # An exported program gets one operation instead of the tiles of this size of map.
            rows = x.device.type == "cpu" and not torch.compiler.is_exporting()
            convolve = deform_convolve_rows if rows else deform_convolve
            return convolve(x.to(dtype), sampling, self.weight, self.bias, stride=self.stride)


def deform_convolve(x: Tensor, sampling: Sampling, weight: Tensor, bias: Tensor, *, stride: int) -> Tensor:
    """The operation through torchvision's kernel: fast on a GPU, a plain loop on a CPU.

    Args:
        x: B C H W.
        sampling: offsets and mask at the output's size, ceil(H / stride) by ceil(W / stride).
        weight: O C 3 3.
        bias: O.
        stride: 1 or 2.

    Returns:
        B O h w.
    """
    output: Tensor = deform_conv2d(x, sampling.offsets, weight, bias, stride=stride, padding=1, mask=sampling.mask)
    return output


def deform_convolve_rows(x: Tensor, sampling: Sampling, weight: Tensor, bias: Tensor, *, stride: int) -> Tensor:
    """The same as `deform_convolve` by weighted sums of rows, several times faster on a CPU, backward above all.

    A bilinear sample is a weighted sum of four cells, each a row of C numbers: an embedding bag.
    """
    (batch, channels, *_), (h, w) = x.shape, sampling.size
    cells, shares = bilinear_cells(sampling, (x.shape[2], x.shape[3]), stride=stride)  # B*h*w T 4
    rows = x.permute(0, 2, 3, 1).reshape(-1, channels)  # B*H*W C
    kernel = weight.permute(0, 2, 3, 1).flatten(1)  # O T*C

    def convolve(cells: Tensor, shares: Tensor) -> Tensor:
        sampled = F.embedding_bag(cells.view(-1, 4), rows, per_sample_weights=shares.view(-1, 4), mode="sum")
        return F.linear(sampled.view(-1, TAPS * channels), kernel, bias)

    tile = max(1, SAMPLED_AT_ONCE // (TAPS * channels))
    parts = zip(torch.split(cells, tile), torch.split(shares, tile), strict=True)
    output = torch.cat([convolve(*part) for part in parts])
    return output.view(batch, h, w, -1).permute(0, 3, 1, 2)


def bilinear_cells(sampling: Sampling, size: tuple[int, int], *, stride: int) -> tuple[Tensor, Tensor]:
    """The four cells around every sampled place, and their shares in it.

    Args:
        sampling: offsets and mask, B T h w.
        size: H, W of the input.
        stride: of the convolution.

    Returns:
        int64 B*h*w T 4, cells counted through the whole batch; B*h*w T 4, shares times mask, 0 outside the input.
    """
    (height, width), (h, w), device = size, sampling.size, sampling.mask.device
    dy, dx = sampling.offsets.view(-1, TAPS, 2, h, w).unbind(2)  # B T h w
    tap = torch.arange(TAPS, device=device).view(TAPS, 1, 1)
    y = dy + (stride * torch.arange(h, device=device).view(h, 1) - 1 + tap // 3)
    x = dx + (stride * torch.arange(w, device=device) - 1 + tap % 3)
    top, left = y.detach().floor(), x.detach().floor()
    below, right = y - top, x - left
    shares = torch.stack([(1 - below) * (1 - right), (1 - below) * right, below * (1 - right), below * right], dim=-1)
    rows = torch.stack([top, top, top + 1, top + 1], dim=-1)  # B T h w 4
    columns = torch.stack([left, left + 1, left, left + 1], dim=-1)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    cells = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    image = torch.arange(len(dy), device=device).view(-1, 1, 1, 1, 1)
    cells = cells.long() + image * (height * width)
    shares = shares * sampling.mask[..., None] * inside
    return rows_of_cells(cells), rows_of_cells(shares)


def rows_of_cells(x: Tensor) -> Tensor:
    """B T h w 4 -> B*h*w T 4."""
    return x.permute(0, 2, 3, 1, 4).contiguous().view(-1, TAPS, 4)
