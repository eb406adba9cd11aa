"""What all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real samples and reference figures that may lie beside the repository."""
    folder = Path(os.environ.get("FIBER_SHARED", Path(__file__).parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the sample data of {folder.name}/ beside the repository")
    return folder
