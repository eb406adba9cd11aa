"""Two processes train and judge every task as one does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fiber.tasks.coarse.tasks import COARSE_TASKS
from fiber.tasks.fine.tasks import FINE_TASKS

from ..tasks.found import num_boxes, partial
from .conftest import environment, loss_curve, metrics_of

SMALL = (
    "experiment=demo",
    "optimization.batch_size=8",
    "optimization.max_steps=3",
    "data.train.0.num_samples=32",
    "data.val.num_samples=11",  # of which neither process gets half
    "data.val_batch_size=4",
    "trainer.log_every=1",
    "trainer.val_every=3",
    "logger=csv",
)
FINDING = ("evaluation.score_threshold=0", "evaluation.nms_threshold=0.1", "data.val_batch_size=1")
"""For detectors: after so few steps no score is above the usual threshold; boxes that lie apart meet something."""
COMPARABLE = ("optimization.ema_decay=null", "transform.short_sides=[128]")
"""For detectors: averaged weights cannot be sharded; images of several sizes are padded by what is in their batch."""
UNTRIED = ("custom", "refcoco+", "refcocog")
"""They differ from others in their data alone."""
DEVICES = ("trainer.accelerator=cpu", "trainer.devices=2", "trainer.num_workers=0")
TWO, SHARDED = ("trainer=ddp", *DEVICES), ("trainer=fsdp", *DEVICES)
STAGES = {"coarse": COARSE_TASKS, "fine": [task for task in FINE_TASKS if task not in UNTRIED]}
TASKS = {task: stage for stage, tasks in STAGES.items() for task in tasks}
"""Stage of every task."""
SHARDABLE = [task for task in TASKS if task != "caption"]


def launch(calls: list[tuple[str, list[str]]], folder: Path, *, processes: int) -> None:
    (folder / "calls.json").write_text(json.dumps(calls))
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={processes}", "--master_port=0"]
    command += ["--rdzv_backend=c10d", "--rdzv_endpoint=localhost:0"]
    command += [str(Path(__file__).with_name("many_runs.py")), str(folder / "calls.json")]
    result = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr[-3000:]


def of(task: str) -> list[str]:
    """A short run of a task."""
    fine = [*FINDING, *COMPARABLE] if TASKS[task] == "fine" else []
    return [f"stage={TASKS[task]}", f"task={task}", *SMALL, *fine]


def whole(task: str) -> list[str]:
    """What leaves out judging after training, which takes the whole model."""
    return ["final_split=null"] if task == "odinw" else []


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every task trained by one process (`TASK_1`), by two (`TASK_2`, `TASK_sharded`), and the first judged by two."""
    folder = tmp_path_factory.mktemp("tasks")
    launch(
        [("train", [*of(task), "trainer.batch_size=8", f"run_dir={task}_1"]) for task in TASKS],
        folder,
        processes=1,
    )
    trained = [("train", [*of(task), *TWO, "trainer.batch_size=4", f"run_dir={task}_2"]) for task in TASKS]
    sharded = [
        ("train", [*of(task), *SHARDED, *whole(task), "trainer.batch_size=4", f"run_dir={task}_sharded"])
        for task in SHARDABLE
    ]
    judged = [("evaluate", [f"checkpoint={task}_1", *TWO, f"output={task}_judged"]) for task in TASKS]
    launch(trained + sharded + judged, folder, processes=2)
    return folder


@pytest.mark.parametrize("task", TASKS)
def test_two_processes_give_exactly_the_metrics_of_one(runs: Path, task: str) -> None:
    of_one = {name: value for name, value in metrics_of(runs / f"{task}_1").items() if name.startswith("val/")}
    assert metrics_of(runs / f"{task}_judged") == of_one
    if TASKS[task] == "fine":
        assert num_boxes(runs / f"{task}_judged") > 11  # images
        assert partial(of_one)


@pytest.mark.parametrize("task", TASKS)
def test_two_processes_learn_what_one_learns(runs: Path, task: str) -> None:
    of_one = loss_curve(runs / f"{task}_1")
    assert len(of_one) == 3
    assert loss_curve(runs / f"{task}_2") == pytest.approx(of_one, rel=1e-4)


@pytest.mark.parametrize("task", SHARDABLE)
def test_two_processes_that_share_the_weights_learn_what_one_learns(runs: Path, task: str) -> None:
    assert loss_curve(runs / f"{task}_sharded") == pytest.approx(loss_curve(runs / f"{task}_1"), rel=1e-4)
