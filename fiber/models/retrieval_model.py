"""FIBER with the heads of image-text retrieval."""

import torch
from torch import nn

from fiber.models.config import FusionConfig
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.heads import ContrastiveHead, CrossModalHead, MatchingHead
from fiber.models.initialization import initialize
from fiber.models.pair_model import INITIAL_TEMPERATURE, PairModel


class FiberForRetrieval(PairModel):
    """The pre-training model without masked language modelling: both ways to rank (paper section 4.1)."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = FusionBackbone(config)
        self.cross_modal_head = CrossModalHead(config)
        self.contrastive_head = ContrastiveHead(config)
        self.matching_head = MatchingHead(config)
        self.temperature = nn.Parameter(torch.tensor(INITIAL_TEMPERATURE))
        initialize(self, config.initializer_std)
