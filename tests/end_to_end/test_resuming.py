"""An interrupted run goes on as if nothing had happened."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import FINE, SMALL, environment, loss_curve, metrics_of, training_command

Train = Callable[..., subprocess.CompletedProcess[str]]
STEPS = ("optimization.max_steps=16", "trainer.checkpoint_every=4", "objective.queue_size=40")


def kill_after(checkpoint: Path, command: list[str], folder: Path) -> None:
    """Start a run and kill it without notice once it has written a checkpoint and gone on."""
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if checkpoint.exists() and line.startswith(("step 6/", "step 7/")):
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
    assert process.returncode == -signal.SIGKILL


FINE_STEPS = ("optimization.max_steps=16", "trainer.checkpoint_every=4")


@pytest.mark.parametrize("options", [(*SMALL, *STEPS), (*FINE, *FINE_STEPS)], ids=["coarse", "fine"])
def test_a_killed_run_resumes_with_the_same_losses(train: Train, tmp_path: Path, options: tuple[str, ...]) -> None:
    whole = train(*options, "run_dir=whole")
    assert whole.returncode == 0, whole.stderr[-2000:]
    command = training_command(*options, "run_dir=killed", "ckpt_path=auto")
    kill_after(tmp_path / "killed/checkpoints/last.ckpt", command, tmp_path)
    resumed = train(*options, "run_dir=killed", "ckpt_path=auto")
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    assert "resuming from killed/checkpoints/last.ckpt" in resumed.stdout
    expected = loss_curve(tmp_path / "whole")
    after = {step: loss for step, loss in loss_curve(tmp_path / "killed").items() if step >= 4}
    assert sorted(after) == list(range(4, 16))  # mid-epoch, over two ends of an epoch
    assert after == pytest.approx({step: expected[step] for step in after}, rel=1e-6)
    if options[0] == "stage=fine":  # the averaged weights, which are validated, went on as well
        whole_metrics, resumed_metrics = metrics_of(tmp_path / "whole"), metrics_of(tmp_path / "killed")
        judged = [name for name in whole_metrics if name.startswith("val/")]
        assert [resumed_metrics[name] for name in judged] == pytest.approx([whole_metrics[name] for name in judged])


def test_a_run_resumes_at_the_end_of_an_epoch(train: Train, tmp_path: Path) -> None:
    constant = ("optimization.schedule.power=0", "optimization.schedule.warmup=0", "objective.queue_size=40")
    train(*SMALL, *constant, "optimization.max_steps=8", "run_dir=whole")
    train(*SMALL, *constant, "optimization.max_steps=6", "run_dir=part")
    result = train(*SMALL, *constant, "optimization.max_steps=8", "run_dir=part", "ckpt_path=auto")
    assert result.returncode == 0, result.stderr[-2000:]
    assert loss_curve(tmp_path / "part") == pytest.approx(loss_curve(tmp_path / "whole"), rel=1e-6)
