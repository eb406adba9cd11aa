"""A simulated step costs what a real one does."""

import gc
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fiber.benchmarks.flops import count_flops
from fiber.models.deformable_convolution import Sampling, deform_convolve, deform_convolve_rows
from fiber.models.window_attention import WindowAttention
from fiber.planning.device_kernels import DeviceKernels
from fiber.planning.estimate import task_builder
from fiber.planning.operation_tracker import OperationTracker
from fiber.planning.training_step import Run, StepOptions, simulate, simulated

from .planning import SIZES, composed, planned_cost, real_cost, real_training, square

TINY = {
    "pretrain": ("stage=coarse", "experiment=demo", "objective.queue_size=16"),
    "nlvr2": ("stage=coarse", "task=nlvr2", "experiment=demo"),
    "retrieval": ("stage=coarse", "task=retrieval", "experiment=demo"),
    "gold": ("stage=coarse", "task=caption", "experiment=demo", "objective.loss=gold"),
    "detector": ("stage=fine", "experiment=demo", "image_size=64"),
}
SMALL = ("stage=coarse", "task=vqa", "model=small", "image_size=64", "max_text_length=16")
LARGER = {
    "small": SMALL,
    "small detector": ("stage=fine", "model=small", "+image_size=96", "max_text_length=32"),
    "base": ("stage=coarse", "model=base", "image_size=96", "max_text_length=16", "objective.queue_size=16"),
    "base detector": ("stage=fine", "model=base", "+image_size=96", "max_text_length=32"),
}


def counted_by_pytorch(function: Callable[[], object]) -> int:
    """By its own counter, where attention is matrix products that it knows."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        function()
    return int(counter.get_total_flops())


@pytest.mark.parametrize(
    "overrides",
    [*TINY.values(), *(pytest.param(one, marks=pytest.mark.slow) for one in LARGER.values())],
    ids=[*TINY, *LARGER],
)
def test_a_simulated_step_costs_what_a_real_one_does(overrides: tuple[str, ...]) -> None:
    config = composed(*overrides)
    load = square(config)
    planned = planned_cost(config, load)
    with OperationTracker() as tracker:
        training = real_training(config, load, tracker)
        training.step(load)
        measured = training.step(load)
    assert planned.memory.state == pytest.approx(measured.memory.state, rel=1e-4)
    assert planned.memory.activations == pytest.approx(measured.memory.activations, rel=0.1)
    assert (planned.forward_flops, planned.step_flops) == (measured.forward_flops, measured.step_flops)

    task, batch = training.task, training.task.batch(load)
    assert planned.forward_flops == pytest.approx(counted_by_pytorch(lambda: task.loss(batch)), rel=0.02)
    step = counted_by_pytorch(lambda: torch.autograd.backward(task.loss(batch)))
    assert planned.step_flops == pytest.approx(step, rel=0.02)


def test_so_does_one_that_computes_activations_again() -> None:
    config = composed(*TINY["pretrain"])
    load = square(config)
    planned, measured = planned_cost(config, load, checkpointing=True), real_cost(config, load, checkpointing=True)
    assert planned.memory.activations == pytest.approx(measured.memory.activations, rel=0.1)
    assert planned.step_flops == measured.step_flops


def test_what_is_computed_again_costs_operations_and_saves_memory() -> None:
    config = composed(*SMALL)
    kept, again = (planned_cost(config, square(config), checkpointing=one, on_gpu=True) for one in (False, True))
    assert kept.forward_flops == again.forward_flops
    assert 1.2 < again.step_flops / kept.step_flops < 1.34
    assert again.memory.activations < 0.5 * kept.memory.activations


def test_a_sample_in_half_precision_keeps_little_more_than_half() -> None:
    config = composed(*TINY["nlvr2"])

    def growth(half: torch.dtype | None) -> int:
        runs = [Run(square(config, size), False) for size in (8, 16)]
        costs, _ = simulate(task_builder(config, SIZES), StepOptions(half, False), runs, on_gpu=True)
        return costs[1].memory.activations - costs[0].memory.activations

    assert 0.5 < growth(torch.bfloat16) / growth(None) < 0.75


def test_every_attention_kernel_counts_the_same_products() -> None:
    def attend(device_is_gpu: bool, dtype: torch.dtype, masked: bool) -> int:
        with simulated(on_gpu=device_is_gpu), OperationTracker() as tracker:
            query = torch.randn(2, 3, 16, 8, dtype=dtype)
            mask = torch.zeros(2, 1, 1, 16, dtype=torch.bool) if masked else None
            F.scaled_dot_product_attention(query, query, query, attn_mask=mask)
        return tracker.flops

    expected = 2 * 2 * 2 * 3 * 16 * 16 * 8  # two products of two operations each, for 2 x 3 heads
    cases = [(True, torch.bfloat16, False), (True, torch.float32, True), (False, torch.float32, True)]
    assert [attend(*case) for case in cases] == [expected] * 3


def test_both_deformable_convolutions_count_the_product_with_the_kernel() -> None:
    x, weight, bias = torch.randn(2, 4, 6, 5), torch.randn(8, 4, 3, 3, requires_grad=True), torch.zeros(8)
    sampling = Sampling(torch.randn(2, 18, 6, 5), torch.rand(2, 9, 6, 5))

    expected = 2 * 2 * 6 * 5 * 8 * 4 * 9
    assert count_flops(lambda: deform_convolve(x, sampling, weight, bias, stride=1)) == expected
    assert count_flops(lambda: deform_convolve_rows(x, sampling, weight, bias, stride=1)) == expected
    inputs = x.requires_grad_()
    for convolve in (deform_convolve, deform_convolve_rows):
        whole = count_flops(lambda one=convolve: one(inputs, sampling, weight, bias, stride=1).sum().backward())
        assert whole == 3 * expected


def test_live_bytes_fall_when_tensors_die() -> None:
    with OperationTracker(block=512) as tracker:
        kept = torch.zeros(1000)
        view = kept[10:]
        torch.zeros(3)
        gc.collect()
    assert tracker.live == 4096  # 4,000 bytes in blocks of 512, the view for nothing
    assert tracker.peak == 4096 + 512
    del kept
    assert tracker.live == 4096
    del view
    assert tracker.live == 0


def test_nothing_simulated_is_left_behind() -> None:
    attention = WindowAttention(8, num_heads=2, window_size=4, shifted=True, shrink_window=False)
    with simulated(on_gpu=True):
        WindowAttention(8, num_heads=2, window_size=4, shifted=True, shrink_window=False)(torch.randn(1, 8, 8, 8))
    assert attention(torch.randn(1, 8, 8, 8)).isfinite().all()
    assert DeviceKernels(on_gpu=True).casts == {}
