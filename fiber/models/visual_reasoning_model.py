"""FIBER that judges a statement about two images (NLVR2).

Axes: B statements, L text tokens, P projection width.
"""

import torch
from torch import Tensor, nn

from fiber.models.config import FusionConfig
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.heads import ClassificationHead, CrossModalHead
from fiber.models.initialization import initialize
from fiber.models.trunks import ImageTrunk, TextTrunk

NUM_IMAGES = 2


class FiberForVisualReasoning(nn.Module):
    """Fused backbone and a classifier on the statement fused with either image (paper section 4.1)."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = FusionBackbone(config)
        self.cross_modal_head = CrossModalHead(config)
        pooled = 2 * config.projection_size
        self.classifier = ClassificationHead(NUM_IMAGES * pooled, hidden=pooled, num_classes=2)
        initialize(self, config.initializer_std)

    def forward(self, pixels: Tensor, text_ids: Tensor, text_mask: Tensor) -> Tensor:
        """Judge statements; the text's own layers run once for both images.

        Args:
            pixels: B 2 3 S S, normalised, left and right.
            text_ids: int64 B L.
            text_mask: bool B L, True = real token.

        Returns:
            B 2 logits; class 1 = the statement is true.
        """
        image = self.backbone.encode_image(pixels.flatten(0, 1))
        return self.judge(image, self.backbone.encode_text(text_ids, text_mask))

    def judge(self, image: ImageTrunk, text: TextTrunk) -> Tensor:
        """Judge statements about images, both encoded before.

        Args:
            image: 2B images, left and right of a statement side by side.
            text: B statements.

        Returns:
            B 2 logits; class 1 = the statement is true.
        """
        owner = torch.arange(len(text), device=text.state.device).repeat_interleave(NUM_IMAGES)  # 2B
        pooled = self.cross_modal_head(self.backbone.fuse(image, text[owner])).pooled  # 2B 2P
        logits: Tensor = self.classifier(pooled.unflatten(0, (-1, NUM_IMAGES)).flatten(1))  # B 4P -> B 2
        return logits
