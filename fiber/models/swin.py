"""Swin Transformer whose last blocks can attend to text.

Axes: B batch, H W map, C width of the stage, L text tokens, D text width.
"""

import torch
from timm.layers.drop import DropPath
from torch import Tensor, nn

from fiber.models.config import SwinConfig
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.window_attention import WindowAttention


class PatchEmbedding(nn.Module):
    """Non-overlapping patches to tokens."""

    def __init__(self, config: SwinConfig) -> None:
        super().__init__()
        self.projection = nn.Conv2d(3, config.embed_dim, kernel_size=config.patch_size, stride=config.patch_size)
        self.norm = nn.LayerNorm(config.embed_dim)

    def forward(self, pixels: Tensor) -> Tensor:
        """B 3 P*H P*W -> B H W C."""
        tokens: Tensor = self.norm(self.projection(pixels).permute(0, 2, 3, 1))
        return tokens


class PatchMerging(nn.Module):
    """Halve the map: four neighbours are concatenated and projected to twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """B H W C -> B H/2 W/2 2C."""
        corners = (x[:, row::2, column::2] for column in (0, 1) for row in (0, 1))
        merged: Tensor = self.reduction(self.norm(torch.cat(tuple(corners), dim=-1)))
        return merged


class SwinBlock(nn.Module):
    """Pre-norm window attention and MLP; a fused block adds gated attention to text to the attention branch."""

    def __init__(
        self, config: SwinConfig, *, stage: int, shifted: bool, drop_path: float, cross: GatedCrossAttention | None
    ) -> None:
        super().__init__()
        width = config.stage_width(stage)
        hidden = int(config.mlp_ratio * width)
        self.attention_norm = nn.LayerNorm(width)
        self.attention = WindowAttention(
            width,
            num_heads=config.num_heads[stage],
            window_size=config.window_size,
            shifted=shifted,
            shrink_window=config.shrink_window,
        )
        self.cross_attention = cross
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor, text: Tensor | None = None, text_mask: Tensor | None = None) -> Tensor:
        """
        Args:
            x: B H W C.
            text: B L D; None leaves the cross-attention out.
            text_mask: bool B L, True = real token.

        Returns:
            B H W C.
        """
        attended = self.attention(self.attention_norm(x))
        if text is not None:
            attended = attended + self.attend_text(attended, text, text_mask)
        x = x + self.drop_path(attended)
        x = x + self.drop_path(self.mlp(self.mlp_norm(x)))
        return x

    def attend_text(self, attended: Tensor, text: Tensor, text_mask: Tensor | None) -> Tensor:
        # Every window sees the same text and there is no position bias: all tokens of an image at once, whatever the
        # window they came from.
        assert self.cross_attention is not None, "this block is not fused"
        gated: Tensor = self.cross_attention(attended.flatten(1, 2), text, text_mask)
        return gated.view_as(attended)


class SwinTransformer(nn.Module):
    """Blocks of all stages in one list; `merges[s]` stands between stage s and s + 1."""

    def __init__(
        self, config: SwinConfig, *, num_fused_blocks: int = 0, text_width: int = 0, query_norm: bool = True
    ) -> None:
        super().__init__()
        self.config = config
        stages = config.block_stages
        first_fused = config.num_blocks - num_fused_blocks
        rates = [config.drop_path * index / max(1, config.num_blocks - 1) for index in range(config.num_blocks)]
        self.patch_embedding = PatchEmbedding(config)
        self.blocks = nn.ModuleList()
        for index, stage in enumerate(stages):
            width = config.stage_width(stage)
            cross = None
            if index >= first_fused:
                cross = GatedCrossAttention(
                    width, context_width=text_width, num_heads=config.num_heads[stage], query_norm=query_norm
                )
            shifted = (index - stages.index(stage)) % 2 == 1
            self.blocks.append(SwinBlock(config, stage=stage, shifted=shifted, drop_path=rates[index], cross=cross))
        self.merges = nn.ModuleList(PatchMerging(config.stage_width(stage)) for stage in range(len(config.depths) - 1))
        self.norm = nn.LayerNorm(config.output_width)

    def opens_stage(self, index: int) -> bool:
        """Whether block `index` is the first of a stage other than the first stage."""
        stages = self.config.block_stages
        return index > 0 and stages[index] != stages[index - 1]

    def merge_before(self, index: int, x: Tensor) -> Tensor:
        """Patch merging on the way into block `index`, B H W C -> B H/2 W/2 2C."""
        merged: Tensor = self.merges[self.config.block_stages[index] - 1](x)
        return merged

    def forward(self, pixels: Tensor) -> Tensor:
        """Plain Swin with its final norm: B 3 S S -> B S/32 S/32 C."""
        x = self.patch_embedding(pixels)
        for index, block in enumerate(self.blocks):
            x = block(self.merge_before(index, x) if self.opens_stage(index) else x)
        output: Tensor = self.norm(x)
        return output
