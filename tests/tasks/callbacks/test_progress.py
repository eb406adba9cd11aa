"""The line of figures, without a training run."""

import io
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console

from fiber.tasks.callbacks import progress as module
from fiber.tasks.callbacks.progress import TrainingProgress, clock


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Clock:
    ticking = Clock()
    monkeypatch.setattr(module.time, "perf_counter", ticking)
    return ticking


def fake_trainer(*, world_size: int = 2, max_steps: int = 100) -> Any:
    return SimpleNamespace(
        global_step=0,
        max_steps=max_steps,
        world_size=world_size,
        is_global_zero=True,
        callback_metrics={"train/loss": torch.tensor(1.25)},
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
    )


def test_line_away_from_a_terminal_gives_speed_wait_and_time_left(ticking: Clock) -> None:
    out = io.StringIO()
    progress = TrainingProgress(log_every=2, console=Console(file=out, width=200))
    trainer, module_stub, batch = fake_trainer(), SimpleNamespace(), range(8)
    progress.on_train_start(trainer, module_stub)  # type: ignore[arg-type]
    for _ in range(4):
        ticking.now += 1.0  # waits for the batch
        progress.on_train_batch_start(trainer, module_stub, batch, 0)  # type: ignore[arg-type]
        ticking.now += 3.0  # works on it
        trainer.global_step += 1
        progress.on_train_batch_end(trainer, module_stub, None, batch, 0)  # type: ignore[arg-type]
    lines = out.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["2/100", "4/100"]
    for part in ("loss 1.250", "4 samples/s", "data wait 25%", f"to go {clock(96 * 4)}"):
        assert part in lines[-1]
    assert progress.total_samples == 4 * 8 * 2
    assert progress.fit_seconds == pytest.approx(16)


def test_validation_counts_neither_as_training_nor_as_waiting(ticking: Clock) -> None:
    progress = TrainingProgress(log_every=1, console=Console(file=io.StringIO()))
    trainer, module_stub, batch = fake_trainer(), SimpleNamespace(), range(8)
    progress.on_train_start(trainer, module_stub)  # type: ignore[arg-type]
    ticking.now += 100.0
    progress.on_validation_end(trainer, module_stub)  # type: ignore[arg-type]
    progress.on_train_batch_start(trainer, module_stub, batch, 0)  # type: ignore[arg-type]
    ticking.now += 2.0
    progress.on_train_batch_end(trainer, module_stub, None, batch, 0)  # type: ignore[arg-type]
    assert progress.fit_seconds == pytest.approx(2)
    assert progress.waiting_seconds == 0


def test_clock_carries_minutes_into_hours() -> None:
    assert [clock(59.6), clock(3599), clock(90061)] == ["0:01:00", "0:59:59", "25:01:01"]
