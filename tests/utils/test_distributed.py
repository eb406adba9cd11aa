"""Collectives between real processes."""

import subprocess
import sys
from pathlib import Path

from fiber.utils.distributed import gather_at_first

PROCESS = """
import sys
import torch.distributed as dist
from fiber.utils.distributed import gather_at_first
rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
print(gather_at_first({"found": [rank] * (rank + 1)}))
dist.destroy_process_group()
"""


def test_the_first_process_alone_gathers_what_all_have(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROCESS]
    processes = [
        subprocess.Popen([*command, str(rank), str(tmp_path / "store")], stdout=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    first, second = (process.communicate(timeout=120)[0].strip() for process in processes)
    assert (first, second) == ("[{'found': [0]}, {'found': [1, 1]}]", "None")


def test_a_single_process_gathers_its_own() -> None:
    assert gather_at_first("mine") == ["mine"]
