"""DropBlock (Ghiasi et al. 2018): blank square patches of a feature map in training.

Axes: B images, C channels, H W map.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def blank_blocks(x: Tensor, centres: Tensor, block_size: int) -> Tensor:
    """Blank squares around `centres` in all channels and scale the rest up, by the share kept over the whole batch.

    A map of which nothing is kept becomes 0.

    Args:
        x: B C H W.
        centres: B H W of 0 and 1.
        block_size: side of a square, odd.
    """
    blank = F.max_pool2d(centres, kernel_size=block_size, stride=1, padding=block_size // 2)  # B H W
    keep = (1 - blank).to(x.dtype)
    return x * keep[:, None] * (keep.numel() / keep.sum().clamp(min=1))


class DropBlock(nn.Module):
    """Blank about `share` of the map's cells in training; the identity in evaluation.

    Args:
        share: in [0, 1).
        block_size: side of a square, odd.
    """

    def __init__(self, share: float, block_size: int = 3) -> None:
        super().__init__()
        self.share = share
        self.block_size = block_size

    def forward(self, x: Tensor) -> Tensor:
        """B C H W -> B C H W."""
        if not self.training or self.share == 0:
            return x
        probability = self.share / self.block_size**2
        centres = torch.rand(x.shape[0], *x.shape[2:], device=x.device) < probability
        return blank_blocks(x, centres.float(), self.block_size)
