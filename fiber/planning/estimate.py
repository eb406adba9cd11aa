"""What a recipe takes: parameters, operations, memory, time. Computed from sizes alone."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from omegaconf import DictConfig

from fiber.benchmarks.accelerators import Accelerator
from fiber.planning.coarse_tasks import (
    PlannedCaptioning,
    PlannedPretraining,
    PlannedQuestionAnswering,
    PlannedRetrieval,
    PlannedVisualReasoning,
)
from fiber.planning.fine_tasks import PlannedDetection
from fiber.planning.parameters import ParameterCount, gathered_bytes, parameters_by_part
from fiber.planning.planned_task import PlannedTask, Sizes
from fiber.planning.training_step import Run, StepCost, StepMemory, StepOptions, simulate
from fiber.planning.workload import Workload
from fiber.tasks.accumulation import accumulation_steps
from fiber.tasks.fine.tasks import FINE_TASKS
from fiber.tasks.trainer_config import Strategy, TrainerConfig
from fiber.utils.errors import UserError

TASKS: Mapping[tuple[str, str], type[PlannedTask]] = {
    ("coarse", "pretrain"): PlannedPretraining,
    ("coarse", "retrieval"): PlannedRetrieval,
    ("coarse", "vqa"): PlannedQuestionAnswering,
    ("coarse", "nlvr2"): PlannedVisualReasoning,
    ("coarse", "caption"): PlannedCaptioning,
    ("fine", "pretrain"): PlannedDetection,
    **{("fine", task): PlannedDetection for task in FINE_TASKS},
}
"""By stage and task."""
HALF = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": None}
"""Autocast of Lightning's precisions."""
CONTEXT = 0.75 * 2**30
"""Bytes of the driver's context and of libraries' workspaces on a GPU, about; no allocator shows them."""
STRIDE = 32
"""Image sides of the fine stage are padded to multiples of it, in pixels."""
USUAL_ASPECT = 4 / 3
"""Long side over short side of a photograph."""


class Devices(NamedTuple):
    """What a run has."""

    number: int
    accelerator: Accelerator | None
    """None = a CPU."""
    utilization: float
    """Share of the accelerator's peak that is reached, in (0, 1]."""
    memory_share: float
    """Of its memory that may be planned with; the rest is for kernels' buffers and fragments."""


class Memory(NamedTuple):
    """Bytes on each device."""

    weights: float
    gradients: float
    optimizer: float
    averaged_weights: float
    objective: float
    gathered: float
    """Other processes' pairs, or parameters gathered from their shards."""
    activations: float
    context: float

    @property
    def total(self) -> float:
        return sum(self)


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """The step with or without computing activations again."""

    checkpointing: bool
    memory: Memory
    """At the recipe's batch per device, of the largest images."""
    step_flops: float
    """Per sample of the usual size."""
    largest_step_flops: float
    """Per sample of the largest images."""
    largest_batch: int | None
    """Samples per device that fit; None where the memory is not known."""
    dividing_batch: int | None
    """The largest of them that makes up the recipe's batch."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All figures."""

    stage: str
    task: str
    parameters: dict[str, ParameterCount]
    usual: Workload
    """By which operations are counted."""
    largest: Workload
    """By which memory is."""
    precision: str
    devices: Devices
    accumulation: int
    """Micro-batches per step."""
    batch_size: int
    """Samples per step over all devices."""
    num_samples: int | None
    steps: int | None
    """None where epochs are counted and their samples are not known."""
    forward_flops: float
    """Per sample."""
    alternatives: tuple[Alternative, Alternative]
    """Without and with checkpointing."""
    chosen: Alternative
    """As the trainer says."""

    @property
    def total(self) -> ParameterCount:
        """Parameters of all parts."""
        parts = self.parameters.values()
        return ParameterCount(sum(one.all for one in parts), sum(one.trained for one in parts))

    @property
    def samples_per_second(self) -> float | None:
        """Over all devices; None on a CPU."""
        accelerator = self.devices.accelerator
        if accelerator is None:
            return None
        rate = accelerator.peak(half=HALF[self.precision] is not None) * self.devices.utilization
        return self.devices.number * rate / self.chosen.step_flops

    @property
    def hours(self) -> float | None:
        """Of all steps, validations left out."""
        if self.steps is None or self.samples_per_second is None:
            return None
        return self.steps * self.batch_size / self.samples_per_second / 3600


def make_plan(
    config: DictConfig, trainer: TrainerConfig, devices: Devices, sizes: Sizes, *, size: tuple[int, int] | None
) -> Plan:
    """Everything that can be known beforehand.

    Args:
        config: composed from `configs/train.yaml`.
        trainer: its part about hardware.
        devices: what the run would have.
        sizes: what data would decide.
        size: height and width of all images; None = as the recipe draws them.

    Raises:
        UserError: an option that there is not, or a batch that cannot be made up.
    """
    build, precision = task_builder(config, sizes), planned_precision(trainer, devices)
    usual, largest = workloads(config, trainer.batch_size, size)
    accumulation = accumulation_steps(
        batch_size=config.optimization.batch_size, device_batch_size=trainer.batch_size, world_size=devices.number
    )
    options = StepOptions(HALF[precision], keeps_gradients=accumulation > 1 or devices.number > 1)
    doubled = replace(largest, batch_size=2 * largest.batch_size)
    runs = [Run(usual, False)] if usual != largest else []
    runs += [Run(load, again) for again in (False, True) for load in (largest, doubled)]
    costs, task = simulate(build, options, runs, on_gpu=devices.accelerator is not None)
    *first, plain, plain_doubled, again, again_doubled = costs
    reference = first[0] if first else plain
    scale = reference.step_flops / plain.step_flops / usual.batch_size  # of largest images to the usual sample
    setting = Setting(config, trainer, devices, task, largest)
    without = setting.alternative(plain, plain_doubled, scale, checkpointing=False)
    within = setting.alternative(again, again_doubled, scale, checkpointing=True)
    counts_epochs = config.optimization.get("max_steps") is None
    return Plan(
        stage=config.stage.name,
        task=config.task.name,
        parameters=parameters_by_part(task.model),
        usual=usual,
        largest=largest,
        precision=precision,
        devices=devices,
        accumulation=accumulation,
        batch_size=config.optimization.batch_size,
        num_samples=sizes.num_samples,
        steps=None if counts_epochs and sizes.num_samples is None else task.optimization.max_steps,
        forward_flops=reference.forward_flops / usual.batch_size,
        alternatives=(without, within),
        chosen=within if trainer.activation_checkpointing else without,
    )


class Setting(NamedTuple):
    """What the memory of a device depends on beside the cost of a step."""

    config: DictConfig
    trainer: TrainerConfig
    devices: Devices
    task: PlannedTask
    load: Workload

    def alternative(self, one: StepCost, two: StepCost, scale: float, *, checkpointing: bool) -> Alternative:
        """The step in one of its two ways.

        Args:
            one: cost at the batch per device.
            two: at twice the batch.
            scale: by which operations are multiplied.
            checkpointing: the way.
        """
        size, memory = self.load.batch_size, self.memory(one.memory)
        growth = (two.memory.activations - one.memory.activations + self.gathered_pairs) / size
        fitting = self.largest_batch(memory, growth)
        return Alternative(
            checkpointing=checkpointing,
            memory=memory,
            step_flops=scale * one.step_flops,
            largest_step_flops=one.step_flops / size,
            largest_batch=fitting,
            dividing_batch=None if fitting is None else self.dividing(fitting),
        )

    @property
    def gathered_pairs(self) -> int:
        """Bytes of the other processes' inputs, where they are candidates for negatives."""
        return (self.devices.number - 1) * self.task.gathered_bytes(self.load)

    def memory(self, step: StepMemory) -> Memory:
        """Of one device among all; sharded parameters are an estimate from the sizes of the parts."""
        shards = self.devices.number if self.trainer.strategy is Strategy.FSDP else 1
        gathered = float(self.gathered_pairs)
        if shards > 1:
            whole = gathered_bytes(self.task.model)
            # The next block is gathered while one is computed; gradients are whole until they are scattered.
            gathered += 2 * (whole.between_blocks + 2 * whole.largest_block)
        return Memory(
            weights=step.weights / shards,
            gradients=step.gradients / shards,
            optimizer=step.optimizer / shards,
            averaged_weights=step.averaged_weights,
            objective=step.objective,
            gathered=gathered,
            activations=step.activations,
            context=0.0 if self.devices.accelerator is None else CONTEXT,
        )

    def largest_batch(self, memory: Memory, growth: float) -> int | None:
        """Samples per device that fit: memory is linear in them, measured at two sizes."""
        if self.devices.accelerator is None:
            return None
        room = self.devices.accelerator.memory * 2**30 * self.devices.memory_share - memory.total
        return max(0, self.load.batch_size + math.floor(room / growth))

    def dividing(self, fitting: int) -> int:
        """The largest batch per device, of those that fit, that makes up the recipe's; 0 = none."""
        share, rest = divmod(self.config.optimization.batch_size, self.devices.number)
        if rest:
            return 0
        return next((size for size in range(min(fitting, share), 0, -1) if share % size == 0), 0)


def task_builder(config: DictConfig, sizes: Sizes) -> Callable[[], PlannedTask]:
    """How the task is built without data.

    Raises:
        UserError: a task that is none of the library's.
    """
    key = (config.stage.name, config.task.name)
    if key not in TASKS:
        known = ", ".join(f"stage={stage} task={task}" for stage, task in TASKS)
        raise UserError(f"stage={key[0]} task={key[1]} cannot be planned: give one of {known}.")
    return lambda: TASKS[key](config.copy(), sizes)


def planned_precision(trainer: TrainerConfig, devices: Devices) -> str:
    """Lightning's name of the precision; `auto` as the planned device would have it.

    Raises:
        UserError: another precision than mixed or single.
    """
    if trainer.precision == "auto":
        return "32-true" if devices.accelerator is None else "bf16-mixed"
    if trainer.precision not in HALF:
        raise UserError(f"trainer.precision={trainer.precision} cannot be planned: give one of {', '.join(HALF)}.")
    return trainer.precision


def workloads(config: DictConfig, batch_size: int, size: tuple[int, int] | None) -> tuple[Workload, Workload]:
    """A micro-batch of the usual images, and one of the largest; texts are as long as they may be.

    Args:
        config: composed from `configs/train.yaml`.
        batch_size: samples per device.
        size: height and width of all images; None = as the recipe draws them.
    """
    load = Workload(batch_size=batch_size, height=0, width=0, text_length=config.max_text_length)
    if size is None and config.get("image_size") is not None:
        size = config.image_size, config.image_size
    if size is not None:
        load = replace(load, height=padded(size[0]), width=padded(size[1]))
        return load, load
    sides, longest = config.transform.short_sides, config.transform.max_side
    mean = sum(sides) / len(sides)
    usual = replace(load, height=padded(mean), width=padded(mean * USUAL_ASPECT))
    return usual, replace(load, height=padded(max(sides)), width=padded(longest))


def padded(side: float) -> int:
    """Pixels to the next multiple of 32."""
    return math.ceil(side / STRIDE) * STRIDE
