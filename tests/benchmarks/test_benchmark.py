"""The benchmark measures what it says."""

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from fiber.benchmarks.flops import count_flops
from fiber.benchmarks.timing import Timing, peak_memory, time_interleaved

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")


def test_median_and_spread() -> None:
    timing = Timing((1.0, 2.0, 3.0, 4.0, 5.0))
    assert (timing.median, timing.spread) == (3.0, pytest.approx(1 / 3))
    assert Timing((2.0,)).spread == 0.0


def test_functions_are_timed_in_turn() -> None:
    calls: list[str] = []
    functions = [lambda: calls.append("a"), lambda: (calls.append("b"), time.sleep(0.01))]
    fast, slow = time_interleaved(functions, CPU, repeats=3)
    assert calls == ["a", "b"] * 4
    assert slow.median > 0.01 > fast.median


def test_peak_memory_is_of_the_call_alone() -> None:
    allocate = partial(torch.ones, 100 * 2**20 // 4)  # 100 MiB
    more = peak_memory(allocate, CPU) - peak_memory(partial(torch.ones, 1), CPU)
    assert 80 * 2**20 < more < 130 * 2**20


def test_flops_of_a_matrix_product() -> None:
    assert count_flops(lambda: torch.ones(3, 4) @ torch.ones(4, 5)) == 2 * 3 * 4 * 5


def test_the_script_prints_a_table_and_writes_the_figures(tmp_path: Path) -> None:
    model = ("model=tiny", "image_size=64", "batch_size=4", "max_text_length=8", "vocab_size=300")
    command = [sys.executable, str(ROOT / "scripts/benchmark.py"), *model, "queue_size=8", "repeats=2"]
    command += ["num_workers=0", "csv=all.csv"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "separate trunks" in result.stdout
    content = json.loads((tmp_path / "outputs/benchmark.json").read_text())
    rows = {(row["part"], row["variant"]): row for row in content["rows"]}
    assert {part for part, _ in rows} >= {"training step", "forward fuse", "input pipeline"}
    shared, separate = rows["training step", "shared trunks"], rows["training step", "separate trunks"]
    assert 0 < shared["teraflops_per_call"] < separate["teraflops_per_call"]
    assert shared["peak_memory_gib"] > 0.1
    assert (tmp_path / "all.csv").read_text().count("\n") == len(rows) + 1
