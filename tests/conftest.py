"""What all tests share."""

import os
from pathlib import Path

import pytest
import torch

from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.pretraining_model import FiberForPretraining


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real samples and reference figures that may lie beside the repository."""
    folder = Path(os.environ.get("FIBER_SHARED", Path(__file__).parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the sample data of {folder.name}/ beside the repository")
    return folder


@pytest.fixture
def tiny_config() -> FusionConfig:
    """A fused backbone of a few thousand parameters, without dropout."""
    return FusionConfig(
        image=SwinConfig(embed_dim=8, depths=(1, 1, 3, 1), num_heads=(1, 2, 2, 4), window_size=4, drop_path=0.0),
        text=RobertaConfig(
            hidden_size=16,
            num_layers=4,
            num_heads=2,
            intermediate_size=32,
            vocab_size=50,
            max_positions=34,
            dropout=0.0,
        ),
        num_fusion_layers=3,
        projection_size=16,
        initializer_std=0.2,
    )


@pytest.fixture
def tiny_model(tiny_config: FusionConfig) -> FiberForPretraining:
    """The model of `tiny_config` in float64, every gate open."""
    torch.manual_seed(0)
    model = FiberForPretraining(tiny_config).double()
    for module in model.modules():
        if isinstance(module, GatedCrossAttention):
            torch.nn.init.constant_(module.gate, 0.7)
    return model
