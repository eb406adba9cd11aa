"""Several processes compute what one computes."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import SMALL, environment, loss_curve, training_command

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
