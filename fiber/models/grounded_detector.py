"""FIBER as a detector whose classes are words (paper section 3.3).

Axes: B images, S_h S_w pixels, L text tokens, D text width, C_s width of an image stage, H_s W_s its map.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from fiber.models.detector_config import ChannelOrder, DetectorConfig
from fiber.models.feature_pyramid import FeaturePyramid
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.grounding_head import DetectorOutput, GroundingHead
from fiber.models.initialization import initialize
from fiber.models.trunks import FusedFeatures, ImageTrunk, TextTrunk


class GroundedDetector(nn.Module):
    """Fused backbone, feature pyramid and grounding head.

    `encode_image` and `encode_text` give trunks that serve any number of prompts and images; `detect` does the rest.
    """

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = FusionBackbone(config.fine_backbone)
        # The pyramid norms every stage by itself; the final norm of the dual encoder has no place here.
        self.backbone.image.norm = nn.Identity()  # type: ignore[assignment]
        self.stage_norms = nn.ModuleList(nn.LayerNorm(width) for width in config.pyramid_widths)
        self.pyramid = FeaturePyramid(config.pyramid_widths, channels=config.channels, drop_block=config.drop_block)
        self.head = GroundingHead(config)
        places, width = config.text_budget, config.backbone.text.hidden_size
        # Zeros: the model starts where it would without them.
        self.prompt_offsets = nn.Parameter(torch.zeros(places, width)) if config.prompt_offsets else None
        initialize(self.backbone, config.backbone.initializer_std)

    def encode_image(self, pixels: Tensor) -> ImageTrunk:
        """Image blocks below the fusion: B 3 S_h S_w, normalised RGB, sides multiples of 32."""
        if self.config.channel_order is ChannelOrder.BGR:
            pixels = pixels.flip(1)
        return self.backbone.encode_image(pixels, keep_stages=True)

    def encode_text(self, token_ids: Tensor, mask: Tensor) -> TextTrunk:
        """Text layers below the fusion: int64 B L, bool B L.

        Prompt offsets belong to places and are added behind these layers, so that they reach both sides of the fusion
        and the head, and prompts can still be encoded once. The paper does not say where they go.
        """
        text: TextTrunk = self.backbone.encode_text(token_ids, mask)
        if self.prompt_offsets is None:
            return text
        return replace(text, state=text.state + self.prompt_offsets[: token_ids.shape[1]])

    def detect(self, image: ImageTrunk, text: TextTrunk) -> DetectorOutput:
        """Predictions for B pairs of image and text."""
        fused = self.backbone.fuse(image, text)
        return self.head(self.pyramid(self.stage_features(fused)), fused.text, fused.text_mask)  # type: ignore[no-any-return]

    def stage_features(self, fused: FusedFeatures) -> list[Tensor]:
        """Input of the pyramid: normed stages but the first, B C_s H_s W_s each."""
        stages = zip(self.stage_norms, fused.stages[1:], strict=True)
        return [norm(stage).permute(0, 3, 1, 2) for norm, stage in stages]

    def forward(self, pixels: Tensor, token_ids: Tensor, mask: Tensor) -> DetectorOutput:
        """Images with their texts.

        Args:
            pixels: B 3 S_h S_w, normalised RGB; sides multiples of 32, padding 0.
            token_ids: int64 B L, `<s> ... </s>` and padding.
            mask: bool B L, True = real token.
        """
        return self.detect(self.encode_image(pixels), self.encode_text(token_ids, mask))
