"""What a detector says of every cell: which words it shows, where its box lies, how central the cell is.

Axes: B images, C channels, h w map of a level, A cells of all levels, L text tokens, D text width.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fiber.models.detector_config import DetectorConfig
from fiber.models.dynamic_head import DynamicHeadBlock

PRIOR_PROBABILITY = 0.01
"""Of a word being shown by a cell, before training."""
LARGEST_LOGIT = 50000.0


class DetectorOutput(NamedTuple):
    """Raw predictions for every cell: levels fine to coarse, in each row by row."""

    token_logits: Tensor
    """float32 (or double) B A L: the cell shows what the token names."""
    deltas: Tensor
    """float32 B A 4, encoded box."""
    centerness: Tensor
    """float32 B A, logit."""
    text_mask: Tensor
    """bool B L, True = real token."""
    level_sizes: tuple[tuple[int, int], ...]
    """Height and width of every level; their products sum to A."""


class GroundingHead(nn.Module):
    """Dynamic-head blocks and, per cell, a box, a centerness and an alignment with every token (paper section 3.3)."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        channels, text_width = config.channels, config.backbone.text.hidden_size
        self.blocks = nn.ModuleList(
            DynamicHeadBlock(channels, num_groups=config.num_groups, coarser_sampling=config.coarser_sampling)
            for _ in range(config.num_blocks)
        )
        self.box = nn.Conv2d(channels, 4, 1)
        self.centerness = nn.Conv2d(channels, 1, 1)
        self.level_scales = nn.Parameter(torch.ones(len(config.strides)))
        self.text_projection = nn.Linear(text_width, channels)
        self.token_bias = nn.Parameter(torch.zeros(text_width))
        self.prior_bias = nn.Parameter(torch.tensor([-math.log(1 / PRIOR_PROBABILITY - 1)]))
        self.log_scale = nn.Parameter(torch.zeros(1))
        for predictor in (self.box, self.centerness):
            nn.init.normal_(predictor.weight, std=0.01)
            assert predictor.bias is not None
            nn.init.zeros_(predictor.bias)

    def forward(self, levels: Sequence[Tensor], text: Tensor, text_mask: Tensor) -> DetectorOutput:
        """
        Args:
            levels: feature pyramid, B C h w each, fine to coarse.
            text: B L D.
            text_mask: bool B L, True = real token.
        """
        for block in self.blocks:
            levels = block(levels)
        deltas = [
            flatten_cells(scale * self.box(level)) for scale, level in zip(self.level_scales, levels, strict=True)
        ]
        centerness = [flatten_cells(self.centerness(level)) for level in levels]
        return DetectorOutput(
            token_logits=self.align(torch.cat([flatten_cells(level) for level in levels], dim=1), text, text_mask),
            deltas=at_least_float(torch.cat(deltas, dim=1)),
            centerness=at_least_float(torch.cat(centerness, dim=1).squeeze(-1)),
            text_mask=text_mask,
            level_sizes=tuple((level.shape[-2], level.shape[-1]) for level in levels),
        )

    def align(self, cells: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """Dot product of cells and tokens, B A C and B L D -> B A L."""
        direction = F.normalize(at_least_float(text) * text_mask[:, :, None], dim=-1)
        projected = self.text_projection(direction / 2)  # B L C
        bias = (direction * self.token_bias).sum(dim=-1) + self.prior_bias  # B L
        product = at_least_float(cells @ projected.transpose(1, 2)) / self.log_scale.exp()
        return (product + bias[:, None]).clamp(-LARGEST_LOGIT, LARGEST_LOGIT)


def flatten_cells(x: Tensor) -> Tensor:
    """B C h w -> B h*w C, row by row."""
    return x.flatten(2).transpose(1, 2)


def at_least_float(x: Tensor) -> Tensor:
    """Half precision to float32; float32 and double stay."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
