"""The planned step run for real, on this machine's GPU or CPU, beside what was planned."""

import ctypes
import gc
import multiprocessing
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from fiber.benchmarks.timing import synchronize
from fiber.planning.estimate import HALF, Plan, task_builder
from fiber.planning.operation_tracker import OperationTracker
from fiber.planning.planned_task import Sizes
from fiber.planning.training_step import StepCost, StepOptions, TrackedTraining
from fiber.planning.workload import Workload
from fiber.tasks.acceleration import checkpoint_activations
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.errors import UserError

TIMED_STEPS = 3
M_MMAP_THRESHOLD = -3
"""Of glibc's mallopt."""
LEAST_RETURNED = 2**16
"""Bytes of an allocation from which its memory goes back."""
CLEAR_PEAK = "5"
"""What Linux wants to read to forget the largest resident set of a process."""


class Measurement(NamedTuple):
    """Of one micro-batch with an optimiser step."""

    device: str
    checkpointing: bool
    tensors: StepCost
    """Live tensors and operations, as the plan counts them."""
    peak_bytes: int
    """Of the allocator on a GPU; on a CPU the growth of the resident set since before the model was built."""
    seconds: float
    """Of a step, median."""


def measure(config: DictConfig, trainer: TrainerConfig, plan: Plan, sizes: Sizes) -> Measurement:
    """Run the largest images' step on the planned kind of device, in a process of its own on a CPU.

    Raises:
        UserError: a GPU was planned and there is none.
    """
    on_gpu = plan.devices.accelerator is not None
    if on_gpu and not torch.cuda.is_available():
        raise UserError("measure=true gpu=...: PyTorch sees no GPU here; give gpu=null to measure on the CPU.")
    keeps_gradients = plan.accumulation > 1 or plan.devices.number > 1
    options = StepOptions(HALF[plan.precision], keeps_gradients)
    run = partial(measured_step, config, sizes, options, plan.largest, plan.chosen.checkpointing)
    if on_gpu:
        return run(torch.device("cuda"))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(run, torch.device("cpu"), num_threads=torch.get_num_threads()).result()


def measured_step(
    config: DictConfig,
    sizes: Sizes,
    options: StepOptions,
    load: Workload,
    checkpointing: bool,
    device: torch.device,
    num_threads: int | None = None,
) -> Measurement:
    """Build the task, run its step a few times, and look at what it took."""
    if num_threads is not None:
        torch.set_num_threads(num_threads)
        return_freed_memory()
    forward = partial(torch.autocast, device.type, options.half, enabled=options.half is not None)

    def build(first: Workload, tracker: OperationTracker) -> TrackedTraining:
        task = task_builder(config, sizes)
        training = TrackedTraining(task, options, first, tracker, device=device, forward=forward)
        if checkpointing:
            checkpoint_activations(training.task.training.backbone)
        return training

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = replace(load, batch_size=2)
        with OperationTracker() as tracker:  # loads what libraries load when they are first used
            build(small, tracker).step(small)
        before = start_peak(device)
        with OperationTracker() as tracker:
            training = build(load, tracker)
            training.step(load)
            cost = training.step(load)
        peak = read_peak(device) - before
        seconds = [timed(partial(training.step, load), device) for _ in range(TIMED_STEPS)]
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return Measurement(name, checkpointing, cost, peak, sorted(seconds)[TIMED_STEPS // 2])


def timed(step: partial[StepCost], device: torch.device) -> float:
    """Seconds of a step."""
    synchronize(device)
    start = time.perf_counter()
    step()
    synchronize(device)
    return time.perf_counter() - start


def return_freed_memory() -> None:
    """Let the C library give the memory of a dead tensor back to the system at once, where it can."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(M_MMAP_THRESHOLD, LEAST_RETURNED)


def start_peak(device: torch.device) -> int:
    """Forget the peak so far; bytes in use now."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    Path("/proc/self/clear_refs").write_text(CLEAR_PEAK)
    return process_bytes("VmRSS")


def read_peak(device: torch.device) -> int:
    """Bytes at the largest since `start_peak`."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else process_bytes("VmHWM")


def process_bytes(entry: str) -> int:
    """An entry of Linux's status of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{entry}:")).split()[1])


def print_comparison(plan: Plan, measured: Measurement, console: Console) -> None:
    """Planned next to measured."""
    table = Table(title=f"Planned and measured, {measured.device}, batch of {plan.largest.batch_size}")
    for column in ("", "planned", "measured", "planned / measured"):
        table.add_column(column, justify="left" if not column else "right")
    for name, (planned, found) in compared(plan, measured).items():
        table.add_row(name, f"{planned:.4g}", f"{found:.4g}", f"{planned / found:.3f}")
    console.print(table)


def compared(plan: Plan, measured: Measurement) -> dict[str, tuple[float, float]]:
    """Planned and measured figures by name."""
    planned = plan.chosen.memory.total - plan.chosen.memory.context
    size = plan.largest.batch_size
    figures = {
        "peak memory, GiB": (planned / 2**30, measured.peak_bytes / 2**30),
        "peak of live tensors, GiB": (planned / 2**30, measured.tensors.memory.total / 2**30),
        "TFLOP per step": (plan.chosen.largest_step_flops * size / 1e12, measured.tensors.step_flops / 1e12),
    }
    if plan.devices.accelerator is not None:
        peak = plan.devices.accelerator.peak(half=HALF[plan.precision] is not None)
        reached = measured.tensors.step_flops / measured.seconds / peak
        figures["utilisation"] = (plan.devices.utilization, reached)
    return figures


def measurement_record(measured: Measurement) -> dict[str, Any]:
    """For JSON."""
    return {
        "device": measured.device,
        "activation_checkpointing": measured.checkpointing,
        "peak_bytes": measured.peak_bytes,
        "live_tensor_bytes": measured.tensors.memory.total,
        "step_flops": measured.tensors.step_flops,
        "seconds": measured.seconds,
    }
