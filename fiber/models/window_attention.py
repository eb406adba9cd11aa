"""Shifted-window self-attention with relative position bias (Swin Transformer, section 3.2).

Axes: B batch, H W map, C width, h heads, d head width; n windows of N = p*q tokens.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fiber.models.attention import attend

MASKED_LOGIT = -100.0
"""Added to the logit of two tokens that are neighbours only by the cyclic shift; finite, as in Swin."""


def relative_position_index(height: int, width: int, table_side: int) -> Tensor:
    """Row of the bias table for every pair of window tokens.

    The table holds offsets -(s-1)..s-1 on both axes, s = (table_side + 1) / 2; a window smaller than s uses its middle.

    Returns:
        int64 p*q p*q, from query to key.
    """
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    rows, columns = rows.flatten(), columns.flatten()
    centre = table_side // 2
    return (rows[:, None] - rows + centre) * table_side + columns[:, None] - columns + centre


def axis_regions(size: int, window: int, shift: int) -> Tensor:
    """Region 0, 1 or 2 of each position on one axis after the cyclic shift; size."""
    position = torch.arange(size)
    return (position >= size - window).long() + ((position >= size - shift) & (shift > 0)).long()


def build_shift_mask(
    size: tuple[int, int], window: tuple[int, int], shift: tuple[int, int], device: torch.device
) -> Tensor:
    """Additive mask that keeps tokens of different regions of a shifted map apart.

    Args:
        size: height and width of the padded map, multiples of the window.
        window: p, q.
        shift: rows and columns by which the map was rolled.
        device: where the mask is used.

    Returns:
        float32 n N N of 0 and -100.
    """
    with torch.inference_mode(False):  # the cached tensor may serve training later
        rows, columns = (axis_regions(*axis) for axis in zip(size, window, shift, strict=True))
        regions = 3 * rows[:, None] + columns  # H W
        regions = regions.unfold(0, window[0], window[0]).unfold(1, window[1], window[1])  # n_h n_w p q
        regions = regions.flatten(2).flatten(0, 1)  # n N
        return (regions[:, :, None] != regions[:, None, :]).to(device, torch.float32) * MASKED_LOGIT


shift_mask = lru_cache(maxsize=64)(build_shift_mask)
"""The same, kept for the next map of that size."""


class WindowAttention(nn.Module):
    """Self-attention inside windows of a map of any size; the map is padded with zeros to whole windows."""

    def __init__(self, width: int, *, num_heads: int, window_size: int, shifted: bool, shrink_window: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window_size = window_size
        self.shifted = shifted
        self.shrink_window = shrink_window
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.table_side = 2 * window_size - 1
        self.relative_position_bias = nn.Parameter(torch.zeros(self.table_side**2, num_heads))
        index = relative_position_index(window_size, window_size, self.table_side)
        self.register_buffer("position_index", index, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """B H W C -> B H W C."""
        height, width = x.shape[1:3]
        (window_h, shift_h), (window_w, shift_w) = self.window_and_shift(height), self.window_and_shift(width)
        x = F.pad(x, (0, 0, 0, -width % window_w, 0, -height % window_h))  # whole windows from here on
        if shift_h or shift_w:
            x = x.roll((-shift_h, -shift_w), dims=(1, 2))
        x = self.attend_windows(x, (window_h, window_w), (shift_h, shift_w))
        if shift_h or shift_w:
            x = x.roll((shift_h, shift_w), dims=(1, 2))
        return x[:, :height, :width]

    def window_and_shift(self, size: int) -> tuple[int, int]:
        """Window side and cyclic shift on an axis of `size` tokens."""
        if self.shrink_window and size <= self.window_size:
            return size, 0
        return self.window_size, self.window_size // 2 if self.shifted else 0

    def position_bias(self, window: tuple[int, int]) -> Tensor:
        """Learned bias of a window, h N N."""
        index: Tensor = self.position_index  # type: ignore[assignment]
        if window != (self.window_size, self.window_size):
            index = relative_position_index(*window, self.table_side).to(index.device)
        # Dense, since a GPU's fused kernels take no other mask.
        return self.relative_position_bias[index].permute(2, 0, 1).contiguous()

    def attend_windows(self, x: Tensor, window: tuple[int, int], shift: tuple[int, int]) -> Tensor:
        """Attention of a padded and rolled map, B H W C -> B H W C."""
        (batch, height, width, _), (p, q) = x.shape, window
        qkv = self.qkv(x).view(batch, height // p, p, width // q, q, 3, self.num_heads, -1)
        qkv = qkv.permute(5, 0, 1, 3, 6, 2, 4, 7)  # 3 B n_h n_w h p q d
        query, key, value = qkv.flatten(5, 6).flatten(2, 3).unbind(0)  # B n h N d
        mask = self.position_bias(window)
        # Windows join the batch, or under a shift, where each has a mask of its own, the heads: either way the mask
        # broadcasts over the batch without a copy and SDPA sees four dimensions.
        join = (0, 1)
        if any(shift):
            # What is built while a model is traced belongs to the trace and must not be kept.
            masks = build_shift_mask if torch.compiler.is_compiling() else shift_mask
            mask = (mask + masks((height, width), window, shift, x.device)[:, None]).flatten(0, 1)  # n*h N N
            join = (1, 2)
        attended = attend(query.flatten(*join), key.flatten(*join), value.flatten(*join), mask=mask[None])
        attended = attended.view(batch, height // p, width // q, self.num_heads, p, q, -1)
        attended = attended.permute(0, 1, 4, 2, 5, 3, 6)  # B n_h p n_w q h d
        output: Tensor = self.output(attended.reshape(batch, height, width, -1))
        return output
