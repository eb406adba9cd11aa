"""A run to load, and a model to ask."""

import shutil
from pathlib import Path

import pytest

from fiber.checkpoints.model_description import DetectorDescription
from fiber.inference.grounding import Grounder
from fiber.inference.model_loading import load_model
from fiber.models.grounded_detector import GroundedDetector

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
def grounder(fine_run: Path) -> Grounder:
    return load_grounder(fine_run)


def load_grounder(run: Path) -> Grounder:
    """The detector of a run, shown pictures as the run was validated."""
    loaded = load_model(run)
    description = loaded.description
    assert isinstance(description, DetectorDescription) and isinstance(loaded.model, GroundedDetector)
    sides = {"short_side": description.short_side, "max_side": description.max_side}
    return Grounder(loaded.model, loaded.tokenizer, **sides)
