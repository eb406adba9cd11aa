"""Runs on a GPU, in bfloat16 by default."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.gpu
ON_GPU = ("experiment=demo", "trainer.accelerator=gpu", "logger=[csv]")


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / script), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    return result


def metrics_of(run_dir: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((run_dir / "metrics.json").read_text())
    return found


def test_coarse_and_fine_stage_learn_and_resume(cuda: torch.device, tmp_path: Path) -> None:
    coarse, fine = tmp_path / "coarse", tmp_path / "fine"
    run("train.py", "stage=coarse", *ON_GPU, f"run_dir={coarse}")
    metrics = metrics_of(coarse)
    assert metrics["val/itm/accuracy"] >= 0.75 and metrics["val/mlm/accuracy"] >= 0.6
    assert metrics["val/retrieval/mean_recall_1"] >= 0.25
    start = (f"init_from={coarse}", f"run_dir={fine}", "trainer.val_every=400", "trainer.checkpoint_every=400")
    run("train.py", "stage=fine", *ON_GPU, *start, "optimization.max_steps=400")
    assert metrics_of(fine)["val/grounding/recall_1"] >= 0.4
    result = run("train.py", "stage=fine", *ON_GPU, *start, "optimization.max_steps=410", "ckpt_path=auto")
    assert "resuming from" in result.stdout
