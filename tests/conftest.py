"""What all tests share."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a hub out of reach would cost minutes of retries

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fiber.models.captioning_model import FiberForCaptioning
from fiber.models.config import FusionConfig
from fiber.models.detector_config import ChannelOrder, DetectorConfig
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.pretraining_model import FiberForPretraining

from .tiny_config import TINY_CONFIG

torch.set_num_threads(1)  # tiny operations wait longer for a second thread than they work


def pytest_configure(config: pytest.Config) -> None:
    """Processes take files in their order, not those of many tests first: a file of one long test would come last."""
    if hasattr(config.option, "loadscopereorder"):  # pytest-xdist is there
        config.option.loadscopereorder = False


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real samples and reference figures that may lie beside the repository."""
    folder = Path(os.environ.get("FIBER_SHARED", Path(__file__).parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the sample data of {folder.name}/ beside the repository")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder for the session, also of the processes that tests start: the user's stays as it is."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIBER_CACHE", str(folder))
        yield folder


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for one test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("FIBER_CACHE", str(folder))
    return folder


@pytest.fixture
def tiny_config() -> FusionConfig:
    """A fused backbone of a few thousand parameters, without dropout."""
    return TINY_CONFIG


@pytest.fixture
def tiny_model(tiny_config: FusionConfig) -> FiberForPretraining:
    """The model of `tiny_config` in float64, every gate open."""
    torch.manual_seed(0)
    model = FiberForPretraining(tiny_config).double()
    for module in model.modules():
        if isinstance(module, GatedCrossAttention):
            torch.nn.init.constant_(module.gate, 0.7)
    return model


@pytest.fixture
def captioner(tiny_config: FusionConfig) -> FiberForCaptioning:
    """The caption model of `tiny_config` in float64, every gate open."""
    torch.manual_seed(0)
    model = FiberForCaptioning(tiny_config).double()
    for module in model.modules():
        if isinstance(module, GatedCrossAttention):
            torch.nn.init.constant_(module.gate, 0.7)
    return model


@pytest.fixture
def tiny_detector_config(tiny_config: FusionConfig) -> DetectorConfig:
    """A detector on `tiny_config` without anything random, which reads pixels as they come."""
    return DetectorConfig(
        backbone=tiny_config,
        channels=16,
        num_blocks=2,
        num_groups=4,
        text_budget=12,
        drop_path=0.0,
        drop_block=0.0,
        channel_order=ChannelOrder.RGB,
    )


@pytest.fixture
def tiny_detector(tiny_detector_config: DetectorConfig) -> GroundedDetector:
    """The detector of `tiny_detector_config` in float64 and evaluation mode, every gate open."""
    torch.manual_seed(0)
    model = GroundedDetector(tiny_detector_config).double().eval()
    for module in model.modules():
        if isinstance(module, GatedCrossAttention):
            torch.nn.init.constant_(module.gate, 0.7)
    return model
