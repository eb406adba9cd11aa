"""A predictor to be told what it finds."""

from collections.abc import Callable

import pytest

from fiber.detection.postprocessing import Detections
from fiber.tasks.fine.boxes import asking

from .judging import Oracle


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Oracle]:
    """Puts an oracle that finds what it is given in place of every predictor."""

    def place(*found: Detections) -> Oracle:
        placed = Oracle(*found)
        monkeypatch.setattr(asking, "GroundingPredictor", lambda *_: placed)
        return placed

    return place
