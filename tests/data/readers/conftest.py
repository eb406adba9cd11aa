"""What tests of readers share."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, so that tests neither find nor leave anything in the user's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("FIBER_CACHE", str(folder))
    return folder
