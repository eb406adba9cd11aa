"""A run to load, and a model to ask."""

import shutil
from pathlib import Path

import pytest

from fiber.inference.grounding import GroundingModel

from .fine_run import write_run


@pytest.fixture(scope="session")
def fine_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a fine run; only to be read."""
    return write_run(tmp_path_factory.mktemp("runs") / "fine")


@pytest.fixture
def own_run(fine_run: Path, tmp_path: Path) -> Path:
    """A copy of it to be spoilt."""
    return Path(shutil.copytree(fine_run, tmp_path / "run"))


@pytest.fixture(scope="session")
def model(fine_run: Path) -> GroundingModel:
    return GroundingModel.from_run(fine_run, device="cpu")
