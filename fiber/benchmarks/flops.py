"""Floating-point operations of a function, and what the device could do at best."""

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

PEAK_BF16_TFLOPS = {
    "H200": 989.0,
    "H100 PCIe": 756.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "RTX 4090": 165.0,
    "RTX 3090": 71.0,
    "V100": 125.0,
}
"""Dense tensor-core peaks from the vendor's data sheets, float16 for V100; looked up by part of the device's name."""


def count_flops(function: Callable[[], object]) -> int:
    """Operations (two per multiply-add) of matrix products, convolutions and attention in one call."""
    with FlopCounterMode(display=False) as counter:
        function()
    return int(counter.get_total_flops())


def peak_flops(device: torch.device) -> float | None:
    """Operations per second the device's data sheet promises; None where it is not known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak * 1e12 for part, peak in PEAK_BF16_TFLOPS.items() if part in name), None)
