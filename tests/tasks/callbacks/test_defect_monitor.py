"""What the log says of annotations that training passes over."""

import logging
from typing import Any

import pytest
import torch

from fiber.data.defects import Defect, DefectKind
from fiber.data.grounding_batch import GroundingBatch
from fiber.tasks.callbacks.defect_monitor import DefectMonitor

ANY: Any = None


def batch(*defects: Defect) -> GroundingBatch:
    nothing = torch.zeros(0)
    return GroundingBatch(nothing, nothing, nothing, nothing, nothing, nothing, (), (), defects)


def outside(number: int) -> Defect:
    return Defect(DefectKind.BOX_OUTSIDE, f"{number}.jpg")


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_the_first_defects_of_a_kind_are_named_and_the_end_tells_how_many(caplog: pytest.LogCaptureFixture) -> None:
    monitor = DefectMonitor()
    for start in (0, 4):
        monitor.on_train_batch_start(ANY, ANY, batch(*map(outside, range(start, start + 4))), 0)
    assert messages(caplog) == [f"passed over a box outside of its image: {number}.jpg" for number in range(5)]
    caplog.clear()
    monitor.on_train_end(ANY, ANY)
    assert messages(caplog) == ["passed over in all: 8 times a box outside of its image"]


def test_a_run_without_defects_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    monitor = DefectMonitor()
    monitor.on_train_batch_start(ANY, ANY, batch(), 0)
    monitor.on_train_batch_start(ANY, ANY, object(), 1)  # a batch of another stage
    monitor.on_train_end(ANY, ANY)
    assert messages(caplog) == []


def test_a_resumed_run_counts_on(caplog: pytest.LogCaptureFixture) -> None:
    monitor, resumed = DefectMonitor(), DefectMonitor()
    monitor.on_train_batch_start(ANY, ANY, batch(*map(outside, range(5))), 0)
    resumed.load_state_dict(monitor.state_dict())
    caplog.clear()
    resumed.on_train_batch_start(ANY, ANY, batch(outside(5)), 0)
    resumed.on_train_end(ANY, ANY)
    assert messages(caplog) == ["passed over in all: 6 times a box outside of its image"]
