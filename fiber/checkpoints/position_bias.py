"""Relative position bias tables for another window size."""

import torch.nn.functional as F
from torch import Tensor


def resize_position_bias(table: Tensor, window_size: int) -> Tensor:
    """Bicubic resize of a bias table, as the original does when the image size changes.

    Args:
        table: (2v-1)^2 h, for windows of side v.
        window_size: the new side w.

    Returns:
        (2w-1)^2 h; `table` itself if v = w.
    """
    old_side, new_side = round(table.shape[0] ** 0.5), 2 * window_size - 1
    if old_side == new_side:
        return table
    maps = table.T.reshape(1, -1, old_side, old_side)
    resized = F.interpolate(maps, size=(new_side, new_side), mode="bicubic", align_corners=False)
    return resized.flatten(2).squeeze(0).T
