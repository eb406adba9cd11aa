"""FIBER with the heads of coarse pre-training."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from fiber.models.config import FusionConfig
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.heads import ContrastiveHead, CrossModalHead, MaskedLanguageModelingHead, MatchingHead
from fiber.models.initialization import initialize
from fiber.models.trunks import ImageTrunk, TextTrunk

INITIAL_TEMPERATURE = 0.07


class PairEmbeddings(NamedTuple):
    """Dual-encoder embeddings of length 1."""

    image: Tensor
    """B P."""
    text: Tensor
    """B P."""


class FiberForPretraining(nn.Module):
    """Fused backbone with contrastive, masked-language-modelling and matching heads (paper section 3.2)."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = FusionBackbone(config)
        self.cross_modal_head = CrossModalHead(config)
        self.contrastive_head = ContrastiveHead(config)
        self.masked_language_modeling_head = MaskedLanguageModelingHead(config)
        self.matching_head = MatchingHead(config)
        self.temperature = nn.Parameter(torch.tensor(INITIAL_TEMPERATURE))
        initialize(self, config.initializer_std)

    def embed_image(self, image: ImageTrunk) -> Tensor:
        """Unit image embeddings, B P."""
        return self.contrastive_head.embed_image(self.backbone.pool_image(image))

    def embed_text(self, text: TextTrunk) -> Tensor:
        """Unit text embeddings, B P."""
        return self.contrastive_head.embed_text(self.backbone.pool_text(text))
