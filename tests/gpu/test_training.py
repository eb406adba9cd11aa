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
    run("train.py", "stage=coarse", *ON_GPU, f"run_dir={coarse}", "optimization.max_steps=300", "trainer.val_every=300")
    assert metrics_of(coarse)["val/itm/accuracy"] > 0.55
    steps = ("optimization.max_steps=200", "trainer.val_every=100", "trainer.checkpoint_every=100")
    run("train.py", "stage=fine", *ON_GPU, f"init_from={coarse}", f"run_dir={fine}", *steps)
    assert metrics_of(fine)["val/grounding/recall_1"] > 0.2
    more = ("optimization.max_steps=210", *steps[1:], "ckpt_path=auto")
    result = run("train.py", "stage=fine", *ON_GPU, f"init_from={coarse}", f"run_dir={fine}", *more)
    assert "resuming from" in result.stdout
