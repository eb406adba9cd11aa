"""One optimiser step as training does it, run for its cost: on simulated tensors, or for real.

Bytes are those of live tensors. The order is Lightning's: the gradients of the step before live until backward begins.
"""

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fiber.models import window_attention
from fiber.models.deformable_convolution import DeformableConvolution, Sampling, deform_convolve
from fiber.models.fusion_backbone import FusionBackbone
from fiber.planning.device_kernels import META, DeviceKernels
from fiber.planning.operation_tracker import GPU_BLOCK, OperationTracker
from fiber.planning.planned_task import PlannedTask
from fiber.planning.workload import BOXES_PER_IMAGE, Workload
from fiber.tasks.acceleration import checkpoint_activations

POSITIVES_PER_BOX = 10
"""Anchors that answer for a box, about."""


class StepMemory(NamedTuple):
    """Bytes on one device that holds the whole model."""

    weights: int
    """With buffers."""
    gradients: int
    optimizer: int
    averaged_weights: int
    objective: int
    """What it keeps from step to step: a queue, a policy."""
    activations: int
    """Everything else at the peak, the batch included."""

    @property
    def state(self) -> int:
        """What does not depend on the batch."""
        return sum(self) - self.activations

    @property
    def total(self) -> int:
        return sum(self)


class StepCost(NamedTuple):
    """Of one micro-batch."""

    memory: StepMemory
    forward_flops: int
    step_flops: int
    """Forward, backward and what is computed again for it."""


class StepOptions(NamedTuple):
    """How the step runs."""

    half: torch.dtype | None
    """Of autocast; None = float32 throughout."""
    keeps_gradients: bool
    """Gradients outlive the backward pass: they accumulate, or lie in the buckets of DDP."""


class Run(NamedTuple):
    """One way to run the step."""

    load: Workload
    checkpointing: bool
    """Whether activations are computed again."""


class TrackedTraining:
    """A task with everything that stays on the device from step to step, under the eyes of a tracker.

    Args:
        build: gives the task.
        options: how the step runs.
        load: by which the objective is filled.
        tracker: active.
        device: where it runs.
        forward: what encloses the forward pass.
    """

    def __init__(
        self,
        build: Callable[[], PlannedTask],
        options: StepOptions,
        load: Workload,
        tracker: OperationTracker,
        *,
        device: torch.device,
        forward: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self.options, self.tracker, self.device, self.forward = options, tracker, device, forward
        sizes = [tracker.live]
        with device:
            self.task = build()
            sizes.append(tracker.live)
            self.task.fill(load)
            sizes.append(tracker.live)
            averaged = self.task.optimization.ema_decay is not None
            self.average = copy.deepcopy(self.task.model) if averaged else None
            sizes.append(tracker.live)
        for parameter in self.task.model.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.zeros_like(parameter)
        sizes.append(tracker.live)
        self.optimizer = self.task.optimizer()
        for group in self.optimizer.param_groups:
            group["fused"] = True
        self.optimizer.step()
        sizes.append(tracker.live)
        weights, objective, average, gradients, optimizer = (after - before for before, after in pairwise(sizes))
        self.state = StepMemory(weights, gradients, optimizer, average, objective, 0)

    def step(self, load: Workload) -> StepCost:
        """One step and its cost."""
        tracker, before = self.tracker, self.tracker.flops
        live = tracker.peak = tracker.live
        with self.device:
            batch = self.task.batch(load)
        with self.forward():
            loss = self.task.loss(batch)
        forward = tracker.flops - before
        if not self.options.keeps_gradients:
            self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        activations = tracker.peak - live
        return StepCost(self.state._replace(activations=activations), forward, tracker.flops - before)


@contextmanager
def simulated(*, on_gpu: bool) -> Iterator[DeviceKernels]:
    """Tensors without values. What is built inside cannot be used outside."""
    forget_masks()
    try:
        with META, DeviceKernels(on_gpu=on_gpu) as kernels:
            yield kernels
    finally:
        forget_masks()


def forget_masks() -> None:
    """Drop the masks that window attention keeps: simulated ones would meet real tensors, and real ones simulated."""
    for function in vars(window_attention).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


def simulate(
    build: Callable[[], PlannedTask], options: StepOptions, runs: Sequence[Run], *, on_gpu: bool
) -> tuple[list[StepCost], PlannedTask]:
    """Costs of several ways to run a step, in seconds and without a device.

    Args:
        build: gives the task.
        options: how the step runs.
        runs: those without checkpointing first.
        on_gpu: plan for a GPU; else for a CPU.

    Returns:
        Costs in the order of `runs`, and the task, whose tensors have sizes and no values.
    """
    largest = max(run.load.batch_size for run in runs)
    found = BOXES_PER_IMAGE * POSITIVES_PER_BOX * largest
    tracker = OperationTracker(block=GPU_BLOCK if on_gpu else 1, num_found=found)
    with simulated(on_gpu=on_gpu) as kernels, tracker, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forward = partial(kernels.autocast, options.half)
        training = TrackedTraining(build, options, runs[0].load, tracker, device=META, forward=forward)
        if on_gpu:
            use_gpu_convolution(training.task.model)
        checkpointing, costs = False, []
        for run in runs:
            if run.checkpointing and not checkpointing:
                take_kernels_along(training.task.training.backbone, kernels)
                checkpoint_activations(training.task.training.backbone)
                checkpointing = True
            assert run.checkpointing == checkpointing, "checkpointing cannot be taken back"
            costs.append(training.step(run.load))
        return costs, training.task


def use_gpu_convolution(model: nn.Module) -> None:
    """Take the deformable convolution that modules choose on a GPU, in place."""
    for module in model.modules():
        if isinstance(module, DeformableConvolution):
            setattr(module, "forward", partial(convolve_by_kernel, module))  # noqa: B010


def convolve_by_kernel(module: DeformableConvolution, x: Tensor, sampling: Sampling) -> Tensor:
    """A deformable convolution as on a GPU."""
    with torch.autocast(x.device.type, enabled=False):
        sampling = Sampling(*(part.float().contiguous() for part in sampling))
        return deform_convolve(x.float(), sampling, module.weight, module.bias, stride=module.stride)


def take_kernels_along(backbone: FusionBackbone, kernels: DeviceKernels) -> None:
    """Make blocks and layers choose kernels where they are computed again too: autograd drops the mode, in place."""
    for layer in (*backbone.image.blocks, *backbone.text.layers):
        setattr(layer, "forward", partial(call_within, kernels, layer.forward))  # noqa: B010


def call_within(kernels: DeviceKernels, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call a function with the device's kernels."""
    with kernels:
        return function(*arguments, **keywords)
