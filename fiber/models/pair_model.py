"""What every model that embeds and matches images and texts can do.

Axes: B pairs, P embedding width.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.heads import ContrastiveHead, CrossModalHead, MatchingHead, full_precision
from fiber.models.trunks import ImageTrunk, TextTrunk

INITIAL_TEMPERATURE = 0.07


class PairEmbeddings(NamedTuple):
    """Dual-encoder embeddings of length 1."""

    image: Tensor
    """B P."""
    text: Tensor
    """B P."""


class PairModel(nn.Module):
    """A fused backbone with contrastive and matching heads, which subclasses build."""

    backbone: FusionBackbone
    cross_modal_head: CrossModalHead
    contrastive_head: ContrastiveHead
    matching_head: MatchingHead
    temperature: nn.Parameter

    def embed_image(self, image: ImageTrunk) -> Tensor:
        """Unit image embeddings, B P."""
        return self.contrastive_head.embed_image(self.backbone.pool_image(image))

    def embed_text(self, text: TextTrunk) -> Tensor:
        """Unit text embeddings, B P."""
        return self.contrastive_head.embed_text(self.backbone.pool_text(text))

    def match(self, image: ImageTrunk, text: TextTrunk) -> Tensor:
        """Two logits per pair of an image and a text, B 2; class 1 = they belong together.

        Whatever the autocast, the logits are no coarser than float32: in bfloat16 many pairs of a ranking would tie.
        """
        pooled = self.cross_modal_head(self.backbone.fuse(image, text)).pooled
        with torch.autocast(pooled.device.type, enabled=False):
            logits: Tensor = self.matching_head(full_precision(pooled))
        return logits
