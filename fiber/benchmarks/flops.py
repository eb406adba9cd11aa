"""Floating-point operations of a function, and what the device could do at best."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from fiber.benchmarks.accelerators import accelerator_of
from fiber.models.deformable_convolution import TAPS

Shape = Sequence[int]


def deformable_convolution_flops(x: Shape, weight: Shape, *_: Any, out_shape: Shape, **__: Any) -> int:
    """The product with the kernel: B C H W, O C 3 3 -> B O h w. Sampling is not counted, as a gather nowhere is."""
    batch, out_channels, height, width = out_shape
    return 2 * batch * height * width * out_channels * weight[1] * TAPS


def deformable_convolution_backward_flops(grad: Shape, x: Shape, weight: Shape, *_: Any, **__: Any) -> int:
    """Both products with the kernel, towards the samples and towards the kernel."""
    return 2 * deformable_convolution_flops(x, weight, out_shape=grad)


def processor_attention_flops(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    """Of the kernel for a CPU, which PyTorch's counter leaves out."""
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


def processor_attention_backward_flops(grad: Shape, query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    """Of the same kernel backward, which computes the scores again."""
    return int(sdpa_backward_flop_count(grad, query, key, value))  # type: ignore[no-untyped-call]


FURTHER_OPERATIONS: Mapping[Any, Callable[..., int]] = {
    torch.ops.torchvision.deform_conv2d: deformable_convolution_flops,
    torch.ops.torchvision._deform_conv2d_backward: deformable_convolution_backward_flops,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: processor_attention_flops,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: processor_attention_backward_flops,
}
"""What PyTorch's counter does not know, by operation."""


def count_flops(function: Callable[[], object]) -> int:
    """Operations (two per multiply-add) of matrix products, convolutions and attention in one call."""
    with FlopCounterMode(display=False, custom_mapping=dict(FURTHER_OPERATIONS)) as counter:
        function()
    return int(counter.get_total_flops())


def peak_flops(device: torch.device) -> float | None:
    """Operations per second the device's data sheet promises in half precision; None where it is not known."""
    if device.type != "cuda":
        return None
    accelerator = accelerator_of(torch.cuda.get_device_name(device))
    return None if accelerator is None else accelerator.peak(half=True)
