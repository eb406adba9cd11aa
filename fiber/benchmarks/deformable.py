"""Deformable convolution by gathered rows against torchvision's kernel.

Axes: B images, C channels, H W input map, h w output map.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from fiber.benchmarks.fine_setting import FineSettings
from fiber.benchmarks.report import Row
from fiber.benchmarks.timing import time_interleaved
from fiber.models.deformable_convolution import TAPS, DeformableConvolution, Sampling, deform_convolve_rows
from fiber.models.deformable_convolution import deform_convolve as deform_convolve_kernel

KINDS: dict[str, Callable[..., Tensor]] = {"rows": deform_convolve_rows, "torchvision": deform_convolve_kernel}


def benchmark_deformable(settings: FineSettings, *, repeats: int, warmup: int) -> list[Row]:
    """Both forms at the finest and the next level, forward alone and with backward, and at stride 2."""
    device = torch.device(settings.device)
    rows: list[Row] = []
    for level, stride in ((0, 1), (0, 2), (1, 1)):
        inputs = random_inputs(settings, level=level, stride=stride)
        x = inputs[0]
        size = f"{x.shape[2]} x {x.shape[3]}, stride {stride}"
        calls = {
            f"deformable forward, {size}": forward,
            f"deformable forward and backward, {size}": forward_backward,
        }
        for part, call in calls.items():
            functions = [partial(call, convolve, inputs, stride) for convolve in KINDS.values()]
            timings = time_interleaved(functions, device, repeats=repeats, warmup=warmup)
            rows += [
                Row(part=part, variant=kind, timing=timing, image_size=settings.image_size, samples=len(x))
                for kind, timing in zip(KINDS, timings, strict=True)
            ]
    return rows


def random_inputs(settings: FineSettings, *, level: int, stride: int) -> tuple[Tensor, ...]:
    """Input B C H W, offsets, mask, weight and bias of one convolution of the head, float32."""
    config, device = settings.detector, settings.device
    height, width = (-(-side // config.strides[level]) for side in settings.size)
    h, w = -(-height // stride), -(-width // stride)
    batch, module = settings.batch_size, DeformableConvolution(config.channels, stride=stride).to(device)
    x = torch.randn(batch, config.channels, height, width, device=device)
    offsets = torch.randn(batch, 2 * TAPS, h, w, device=device)
    mask = torch.rand(batch, TAPS, h, w, device=device)
    return tuple(part.detach().requires_grad_() for part in (x, offsets, mask, module.weight, module.bias))


@torch.no_grad()
def forward(convolve: Callable[..., Tensor], inputs: tuple[Tensor, ...], stride: int) -> None:
    x, offsets, mask, weight, bias = inputs
    convolve(x, Sampling(offsets, mask), weight, bias, stride=stride)


def forward_backward(convolve: Callable[..., Tensor], inputs: tuple[Tensor, ...], stride: int) -> None:
    x, offsets, mask, weight, bias = inputs
    output = convolve(x, Sampling(offsets, mask), weight, bias, stride=stride)
    torch.autograd.grad(output, inputs, torch.ones_like(output))
