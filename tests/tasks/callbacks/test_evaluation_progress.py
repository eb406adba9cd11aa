"""How far an evaluation has come, without one."""

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from fiber.tasks.callbacks import evaluation_progress as module
from fiber.tasks.callbacks.evaluation_progress import EvaluationProgress


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: seconds[0])
    return seconds


def pass_by(progress: EvaluationProgress, trainer: Any, now: list[float], *, number: int, batches: int) -> None:
    for index in range(batches):
        progress.on_validation_batch_start(trainer, None, range(4), index, number)  # type: ignore[arg-type]
        now[0] += 6.0
        progress.on_validation_batch_end(trainer, None, None, range(4), index, number)  # type: ignore[arg-type]


def test_a_line_now_and_then_with_speed_and_time_to_go(now: list[float]) -> None:
    progress = EvaluationProgress()
    out = io.StringIO()
    progress.console = Console(file=out, width=120)
    trainer = SimpleNamespace(world_size=2, is_global_zero=True, num_val_batches=[10, 20])
    pass_by(progress, trainer, now, number=0, batches=3)
    assert out.getvalue() == "pass 1/2  batch 2/10  1.3 samples/s  to go 0:00:48\n"
    pass_by(progress, trainer, now, number=1, batches=1)
    assert out.getvalue().splitlines()[1:] == ["pass 2/2  batch 1/20  1.3 samples/s  to go 0:01:54"]


def test_other_processes_are_silent(now: list[float]) -> None:
    progress = EvaluationProgress()
    out = io.StringIO()
    progress.console = Console(file=out, width=120)
    trainer = SimpleNamespace(world_size=2, is_global_zero=False, num_val_batches=[10])
    pass_by(progress, trainer, now, number=0, batches=5)
    assert out.getvalue() == ""
