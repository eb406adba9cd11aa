"""Sizes of the grounded detector and the choices in which its recipes differ."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from fiber.models.config import FusionConfig
from fiber.utils.errors import UserError
from fiber.utils.ranges import check_counts, check_positive, check_shares


class ChannelOrder(StrEnum):
    """Order of the colours that the patch embedding sees."""

    RGB = "rgb"
    """As in the coarse stage."""
    BGR = "bgr"
    """As the original fine stage feeds weights that were trained on RGB; its released weights need it."""


class CoarserSampling(StrEnum):
    """Where the dynamic head's branch from the next coarser level takes its offsets from."""

    REWRAPPED = "rewrapped"
    """The first numbers of the finer level's, read as if they were the coarser level's: what the original's kernel
    does, and what its released weights were trained with."""
    RESIZED = "resized"
    """The finer level's, resized to the coarser level."""


@dataclass(frozen=True, kw_only=True)
class DetectorConfig:
    """Fused backbone, feature pyramid and dynamic head (paper section 3.3). Defaults: the paper's base model."""

    backbone: FusionConfig = field(default_factory=FusionConfig)
    channels: int = 256
    """Of the pyramid and the head."""
    num_blocks: int = 6
    """Blocks of the dynamic head."""
    num_groups: int = 16
    """Of the head's group norms."""
    anchor_scale: float = 8.0
    """Side of an anchor in strides of its level."""
    coarser_sampling: CoarserSampling = CoarserSampling.REWRAPPED
    channel_order: ChannelOrder = ChannelOrder.BGR
    drop_path: float = 0.4
    """Stochastic depth of the last image block, in place of the backbone's own."""
    drop_block: float = 0.3
    """Share of the pyramid's cells that DropBlock blanks in training; 0 leaves it out."""
    query_norm: bool = False
    """LayerNorm on the query of the image blocks' cross-attention: fusion version 3 of the original's detectors has it
    (referring expressions), version 2 has not."""
    text_budget: int = 256
    """Longest text in tokens, special ones included. Only a text of this length has a "no object" token: its last."""
    prompt_offsets: bool = False
    """A learned vector for every place of a text, added to what the fused layers read there: for tuning by the prompt
    alone."""

    def __post_init__(self) -> None:
        check_counts(self, "model.detector.", "channels", "num_blocks", "num_groups")
        check_positive(self, "model.detector.", "anchor_scale")
        check_shares(self, "detector.", "drop_path", "drop_block")
        if self.text_budget < 3:
            raise UserError(f"text_budget={self.text_budget}: give at least 3 tokens, <s> and </s> included.")
        image = self.backbone.image
        if len(image.depths) < 2 or image.block_stages[self.backbone.first_fused_block] == 0:
            raise UserError(
                "model: the detector needs a first image stage that fusion leaves alone: fuse fewer layers."
            )
        if self.channels % self.num_groups:
            raise UserError(
                f"model.detector.channels={self.channels} is no multiple of num_groups={self.num_groups}: change one."
            )

    @property
    def fine_backbone(self) -> FusionConfig:
        """The backbone as this stage runs it: windows on maps of any size, the last text norm in the fused pass."""
        return replace(
            self.backbone,
            image=replace(self.backbone.image, shrink_window=False, drop_path=self.drop_path),
            query_norm=self.query_norm,
            fused_text_final_norm=True,
        )

    @property
    def pyramid_widths(self) -> tuple[int, ...]:
        """Channels of the image stages that the pyramid starts from: all but the first."""
        image = self.backbone.image
        return tuple(image.stage_width(stage) for stage in range(1, len(image.depths)))

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels per cell of each pyramid level, fine to coarse; two levels follow the last image stage's."""
        first = 2 * self.backbone.image.patch_size
        return tuple(first * 2**level for level in range(len(self.pyramid_widths) + 2))

    def with_backbone(self, backbone: FusionConfig) -> Self:
        """The same detector on another backbone."""
        return replace(self, backbone=backbone)
