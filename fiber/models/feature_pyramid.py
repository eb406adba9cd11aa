"""Feature pyramid (Lin et al. 2017) with two coarser levels, as RetinaNet has it.

Axes: B images, C channels of the pyramid, C_s channels of an image stage, H W map.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from fiber.models.drop_block import DropBlock


class FeaturePyramid(nn.Module):
    """Levels of one width: one per image stage, and two more by strided convolutions on the coarsest.

    Args:
        widths: channels of the image stages, fine to coarse.
        channels: of every level.
        drop_block: share of cells blanked in training, in all stages' levels but the coarsest.
    """

    def __init__(self, widths: Sequence[int], *, channels: int, drop_block: float = 0.0) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in widths)
        self.extra = nn.ModuleList(nn.Conv2d(channels, channels, 3, stride=2, padding=1) for _ in range(2))
        self.drop_block = DropBlock(drop_block)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, stages: Sequence[Tensor]) -> list[Tensor]:
        """
        Args:
            stages: B C_s H_s W_s each, fine to coarse.

        Returns:
            Levels, B C H_l W_l each, fine to coarse, two more than stages.
        """
        merged = self.lateral[-1](stages[-1])
        levels = [self.smooth[-1](merged)]
        for index in reversed(range(len(stages) - 1)):
            upsampled = F.interpolate(merged, size=stages[index].shape[-2:], mode="nearest")
            merged = self.lateral[index](stages[index]) + upsampled
            levels.insert(0, self.smooth[index](self.drop_block(merged)))
        levels.append(self.extra[0](levels[-1]))
        levels.append(self.extra[1](F.relu(levels[-1])))
        return levels
