"""Runs of the real scripts in processes of their own."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Command = list[str]
FAST = (
    "experiment=demo",
    "optimization.batch_size=16",
    "trainer.batch_size=16",
    "trainer.log_every=1",
    "trainer.val_every=100",
    "optimization.learning_rate=1e-3",
    "logger=csv",
)
"""A run of seconds, on any data."""
SMALL = (*FAST, "data.train.0.num_samples=96", "data.val.num_samples=40")
"""The same on few shapes: six steps make an epoch."""

FINE = (
    "stage=fine",
    *FAST,
    "optimization.batch_size=8",
    "trainer.batch_size=8",
    "data.train.0.num_samples=24",
    "data.train.1.num_samples=24",
    "data.val.0.num_samples=9",
    "data.val.1.num_samples=9",
)
"""A run of the fine stage on few shapes: six steps make an epoch."""


def environment() -> dict[str, str]:
    return os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def training_command(*overrides: str, processes: int = 1) -> Command:
    launcher = ["-m", "torch.distributed.run", f"--nproc_per_node={processes}"] if processes > 1 else []
    if processes > 1:
        launcher += ["--master_port=0", "--rdzv_backend=c10d", "--rdzv_endpoint=localhost:0"]
    return [sys.executable, *launcher, str(ROOT / "scripts" / "train.py"), *overrides]


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `scripts/train.py` in an empty folder to its end."""

    def run(*overrides: str, processes: int = 1) -> subprocess.CompletedProcess[str]:
        command = training_command(*overrides, processes=processes)
        return subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=600)

    return run


def loss_curve(run_dir: Path) -> dict[int, float]:
    """Training loss by step, from all logs of a run; later parts win."""
    losses = {}
    for log in sorted((run_dir / "logs").glob("version_*/metrics.csv")):
        with log.open() as file:
            rows = [row for row in csv.DictReader(file) if row.get("train/loss")]
        losses |= {int(row["step"]): float(row["train/loss"]) for row in rows}
    return losses


def metrics_of(run_dir: Path) -> dict[str, float]:
    content: dict[str, float] = json.loads((run_dir / "metrics.json").read_text())
    return content
