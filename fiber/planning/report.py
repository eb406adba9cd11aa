"""A plan as tables for people and as JSON for machines."""

from typing import Any

from rich.console import Console
from rich.table import Table

from fiber.planning.estimate import Alternative, Plan

GIB = 2**30
MEMORY_ROWS = {
    "weights": "weights",
    "gradients": "gradients",
    "optimizer": "optimiser",
    "averaged_weights": "averaged weights",
    "objective": "queue, policy",
    "gathered": "gathered from other devices",
    "activations": "activations and batch",
    "context": "driver and libraries, about",
}
"""Fields of `Memory` in words."""


def print_plan(plan: Plan, console: Console) -> None:
    """Parameters, memory, and what the run costs."""
    console.print(parameter_table(plan), memory_table(plan), cost_table(plan))
    for note in notes(plan):
        console.print(note, highlight=False)


def parameter_table(plan: Plan) -> Table:
    """By part."""
    table = Table(title=f"{plan.stage} {plan.task}: parameters")
    table.add_column("part")
    table.add_column("all", justify="right")
    table.add_column("trained", justify="right")
    for part, count in plan.parameters.items():
        table.add_row(part, f"{count.all:,}", f"{count.trained:,}")
    table.add_section()
    table.add_row("all", f"{plan.total.all:,}", f"{plan.total.trained:,}")
    return table


def memory_table(plan: Plan) -> Table:
    """Per device, and the batch that fits."""
    load = plan.largest
    table = Table(
        title=f"GiB per device, {load.batch_size} samples of {load.height} x {load.width} pixels, {plan.precision}"
    )
    table.add_column("")
    for alternative in plan.alternatives:
        table.add_column(heading(alternative), justify="right")
    for field, name in MEMORY_ROWS.items():
        values = [getattr(one.memory, field) for one in plan.alternatives]
        if any(values):
            table.add_row(name, *(f"{value / GIB:.2f}" for value in values))
    table.add_section()
    table.add_row("together", *(f"{one.memory.total / GIB:.2f}" for one in plan.alternatives))
    accelerator = plan.devices.accelerator
    if accelerator is not None:
        usable = accelerator.memory * plan.devices.memory_share
        table.add_row(f"samples that fit in {usable:.1f} GiB", *(str(one.largest_batch) for one in plan.alternatives))
        table.add_row(
            f"of those that make up {plan.batch_size:,}", *(str(one.dividing_batch) for one in plan.alternatives)
        )
    return table


def heading(alternative: Alternative) -> str:
    """Of a column."""
    return "computed again" if alternative.checkpointing else "kept"


def cost_table(plan: Plan) -> Table:
    """Operations and time."""
    load, devices = plan.usual, plan.devices
    table = Table(title=f"Cost, images of {load.height} x {load.width} pixels, texts of {load.text_length} tokens")
    table.add_column("")
    table.add_column("", justify="right")
    table.add_row("GFLOP per sample, forward", f"{plan.forward_flops / 1e9:,.1f}")
    for one in plan.alternatives:
        table.add_row(f"GFLOP per sample and step, activations {heading(one)}", f"{one.step_flops / 1e9:,.1f}")
    micro = f"{plan.largest.batch_size} x {devices.number} devices x {plan.accumulation} accumulated"
    table.add_row("samples per step", f"{plan.batch_size:,} = {micro}")
    table.add_row("steps", "unknown" if plan.steps is None else f"{plan.steps:,}")
    if devices.accelerator is not None:
        speed, hours = plan.samples_per_second, plan.hours
        name = f"{devices.number} x {devices.accelerator.name} at {devices.utilization:.3g} of its peak"
        table.add_row(f"samples per second, {name}", "-" if speed is None else f"{speed:,.1f}")
        table.add_row("hours, without validation", "unknown" if hours is None else f"{hours:,.1f}")
        table.add_row("GPU hours", "unknown" if hours is None else f"{hours * devices.number:,.1f}")
    return table


def notes(plan: Plan) -> list[str]:
    """What a reader should know of these figures."""
    lines = [f"Time is that of the step with activations {heading(plan.chosen)} (trainer.activation_checkpointing)."]
    if plan.usual != plan.largest:
        lines.append("Memory is that of the largest images, time that of usual ones.")
    if plan.steps is None:
        lines.append("The samples of an epoch are not known: give num_samples=N or optimization.max_steps=N.")
    return lines


def plan_record(plan: Plan) -> dict[str, Any]:
    """All figures: bytes, operations, seconds."""
    accelerator = plan.devices.accelerator
    return {
        "stage": plan.stage,
        "task": plan.task,
        "parameters": {part: count._asdict() for part, count in plan.parameters.items()},
        "parameters_total": plan.total._asdict(),
        "precision": plan.precision,
        "gpu": None if accelerator is None else accelerator._asdict(),
        "devices": plan.devices.number,
        "utilization": plan.devices.utilization,
        "usual_image": [plan.usual.height, plan.usual.width],
        "largest_image": [plan.largest.height, plan.largest.width],
        "text_length": plan.usual.text_length,
        "batch_size": plan.batch_size,
        "device_batch_size": plan.largest.batch_size,
        "accumulation": plan.accumulation,
        "num_samples": plan.num_samples,
        "steps": plan.steps,
        "forward_flops_per_sample": plan.forward_flops,
        "alternatives": [
            {
                "activation_checkpointing": one.checkpointing,
                "step_flops_per_sample": one.step_flops,
                "memory_bytes": {name: round(value) for name, value in one.memory._asdict().items()},
                "memory_bytes_total": round(one.memory.total),
                "largest_device_batch_size": one.largest_batch,
                "largest_dividing_device_batch_size": one.dividing_batch,
            }
            for one in plan.alternatives
        ],
        "samples_per_second": plan.samples_per_second,
        "hours": plan.hours,
    }
