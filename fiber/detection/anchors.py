"""One square anchor per cell of a feature pyramid. Axes: A anchors."""

from collections.abc import Sequence

import torch
from torch import Tensor


def make_anchors(
    level_sizes: Sequence[tuple[int, int]], strides: Sequence[int], *, scale: float, device: torch.device | None = None
) -> Tensor:
    """Anchors in the order of a detector's output: levels fine to coarse, in each row by row.

    Args:
        level_sizes: height and width of every level.
        strides: pixels per cell of every level.
        scale: side of an anchor in strides.
        device: of the result.

    Returns:
        float32 A 4, continuous xyxy in pixels, centred on their cells; they may stick out of the image.
    """
    levels = []
    for (height, width), stride in zip(level_sizes, strides, strict=True):
        y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) * stride
        x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) * stride
        centres = torch.stack([*torch.meshgrid(x, y, indexing="xy")], dim=-1).view(-1, 2)  # row by row
        half = scale * stride / 2
        levels.append(torch.cat([centres - half, centres + half], dim=1))
    return torch.cat(levels)


def box_centres(boxes: Tensor) -> Tensor:
    """... 4 -> ... 2, x and y."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2
