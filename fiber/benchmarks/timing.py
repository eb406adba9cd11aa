"""Time and memory of a function on this device."""

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of repeated calls, warm-up left out; or ratios of such."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles over the median; 0 for a single call."""
        if len(self.seconds) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return (high - low) / 2 / self.median

    def over(self, other: "Timing") -> "Timing":
        """Ratio round by round; of calls that were timed in turn, what disturbed a round cancels."""
        return Timing(tuple(mine / theirs for mine, theirs in zip(self.seconds, other.seconds, strict=True)))


def time_call(function: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call, the device's work included."""
    synchronize(device)
    start = time.perf_counter()
    function()
    synchronize(device)
    return time.perf_counter() - start


def time_interleaved(
    functions: Sequence[Callable[[], object]], device: torch.device, *, repeats: int, warmup: int = 1
) -> list[Timing]:
    """Time several functions in turn, round after round, so that a noisy neighbour disturbs all alike."""
    for _ in range(warmup):
        for function in functions:
            time_call(function, device)
    rounds = [[time_call(function, device) for function in functions] for _ in range(repeats)]
    return [Timing(seconds) for seconds in zip(*rounds, strict=True)]


def synchronize(device: torch.device) -> None:
    """Wait for an accelerator; nothing on a CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_memory(function: Callable[[], object], device: torch.device) -> int:
    """Bytes at the peak of one call: of the allocator on a GPU, of a fresh process on a CPU.

    Args:
        function: on a CPU it must be picklable, and its process's largest resident set is taken, libraries included.
        device: where it runs.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        time_call(function, device)
        return torch.cuda.max_memory_allocated(device)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(resident_peak, function, torch.get_num_threads()).result()


def resident_peak(function: Callable[[], object], num_threads: int) -> int:
    """Bytes of this process's largest resident set after a call."""
    torch.set_num_threads(num_threads)
    function()
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent held when it started this process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
