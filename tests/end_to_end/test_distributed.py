"""Several processes compute what one computes."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import FINE, SMALL, environment, loss_curve, metrics_of, training_command

Train = Callable[..., subprocess.CompletedProcess[str]]
STEPS = ("optimization.max_steps=8", "objective.queue_size=64", "data.val.num_samples=70", "run_dir=run")


@pytest.fixture(scope="module")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> dict[int, float]:
    """Loss curve of one process: eight steps, more than an epoch, with a queue that fills and wraps around."""
    folder = tmp_path_factory.mktemp("one")
    subprocess.run(training_command(*SMALL, *STEPS), cwd=folder, env=environment(), check=True, capture_output=True)
    return loss_curve(folder / "run")


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_give_the_loss_curve_of_one(
    train: Train, tmp_path: Path, one_process: dict[int, float], strategy: str
) -> None:
    devices = (f"trainer={strategy}", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.num_workers=0")
    result = train(*SMALL, *STEPS, *devices, "trainer.batch_size=8", processes=2)
    assert result.returncode == 0, result.stderr[-2000:]
    assert len(one_process) == 8
    assert loss_curve(tmp_path / "run") == pytest.approx(one_process, rel=1e-4)
    assert one_process[7] < one_process[0]


FINE_STEPS = ("optimization.max_steps=8", "run_dir=run")


@pytest.fixture(scope="module")
def one_fine_process(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run directory of one process of the fine stage: eight steps, more than an epoch."""
    folder = tmp_path_factory.mktemp("one_fine")
    command = training_command(*FINE, *FINE_STEPS)
    subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)
    return folder / "run"


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_of_the_fine_stage_give_what_one_gives(
    train: Train, tmp_path: Path, one_fine_process: Path, strategy: str
) -> None:
    devices = (f"trainer={strategy}", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.num_workers=0")
    averaging = ("optimization.ema_decay=null",) if strategy == "fsdp" else ()
    result = train(*FINE, *FINE_STEPS, *devices, *averaging, "trainer.batch_size=4", processes=2)
    assert result.returncode == 0, result.stderr[-2000:]
    expected = loss_curve(one_fine_process)
    assert len(expected) == 8
    assert loss_curve(tmp_path / "run") == pytest.approx(expected, rel=1e-4)
    assert expected[7] < expected[0]
    if strategy == "ddp":  # every image is judged once, whoever judges it
        ours, theirs = metrics_of(tmp_path / "run"), metrics_of(one_fine_process)
        judged = [name for name in theirs if name.startswith("val/")]
        assert [ours[name] for name in judged] == pytest.approx([theirs[name] for name in judged], abs=0.02)
