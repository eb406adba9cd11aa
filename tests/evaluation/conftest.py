"""A small retrieval model."""

import pytest
import torch

from fiber.models.config import FusionConfig
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.retrieval_model import FiberForRetrieval


@pytest.fixture
def retrieval_model(tiny_config: FusionConfig) -> FiberForRetrieval:
    """In float32 and evaluation mode, every gate open."""
    torch.manual_seed(0)
    model = FiberForRetrieval(tiny_config).eval()
    for module in model.modules():
        if isinstance(module, GatedCrossAttention):
            torch.nn.init.constant_(module.gate, 0.7)
    return model
