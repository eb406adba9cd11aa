"""Dynamic ReLU (Chen et al. 2020): the larger of two lines whose slopes and intercepts follow the image.

Axes: B images, C channels, H W map.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REDUCTION = 4


class DynamicRelu(nn.Module):
    """max(a1 x + b1, a2 x + b2) per channel; ReLU while the last layer gives 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, channels // REDUCTION)
        self.expand = nn.Linear(channels // REDUCTION, 4 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """B C H W -> B C H W."""
        z = F.hardsigmoid(self.expand(F.relu(self.reduce(x.mean(dim=(2, 3)))))) - 0.5  # B 4C, in [-0.5, 0.5]
        slope1, intercept1, slope2, intercept2 = z[:, :, None, None].chunk(4, dim=1)  # B C 1 1
        return torch.maximum(x * (2 * slope1 + 1) + intercept1, x * (2 * slope2) + intercept2)
