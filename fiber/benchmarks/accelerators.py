"""Kinds of GPU: what they compute at best, and what they hold.

Figures of NVIDIA's data sheets: dense (no sparsity), products of half precision summed in float32. Memory is that of
the name; a card reports one to two per cent less.
"""

from typing import NamedTuple

from fiber.utils.errors import UserError


class Accelerator(NamedTuple):
    """One kind of GPU."""

    name: str
    """Part of what the driver calls it."""
    half_teraflops: float
    """10^12 operations per second in bfloat16, on a V100 in float16."""
    single_teraflops: float
    """The same in float32, without TF32."""
    memory: float
    """GiB."""

    def peak(self, *, half: bool) -> float:
        """Operations per second."""
        return (self.half_teraflops if half else self.single_teraflops) * 1e12


ACCELERATORS = {
    "b200": Accelerator("B200", 2250.0, 75.0, 180.0),
    "h200": Accelerator("H200", 989.0, 67.0, 141.0),
    "h100-pcie": Accelerator("H100 PCIe", 756.0, 51.0, 80.0),
    "h100": Accelerator("H100", 989.0, 67.0, 80.0),
    "a100-40gb": Accelerator("A100-SXM4-40GB", 312.0, 19.5, 40.0),
    "a100": Accelerator("A100", 312.0, 19.5, 80.0),
    "l40s": Accelerator("L40S", 362.0, 91.6, 48.0),
    "l4": Accelerator("L4", 121.0, 30.3, 24.0),
    "a40": Accelerator("A40", 149.7, 37.4, 48.0),
    "a10g": Accelerator("A10G", 70.0, 35.0, 24.0),
    "a10": Accelerator("A10", 125.0, 31.2, 24.0),
    "v100-16gb": Accelerator("V100-SXM2-16GB", 125.0, 15.7, 16.0),
    "v100": Accelerator("V100", 125.0, 15.7, 32.0),
    "rtx5090": Accelerator("RTX 5090", 209.5, 104.8, 32.0),
    "rtx4090": Accelerator("RTX 4090", 165.2, 82.6, 24.0),
    "rtx4080": Accelerator("RTX 4080", 97.5, 48.7, 16.0),
    "rtx3090": Accelerator("RTX 3090", 71.0, 35.6, 24.0),
}
"""By the name that a user types; a name that contains another comes before it."""


def find_accelerator(kind: str) -> Accelerator:
    """A kind of GPU by its name.

    Raises:
        UserError: it is not known.
    """
    if kind not in ACCELERATORS:
        raise UserError(f"gpu={kind} is not known: give one of {', '.join(ACCELERATORS)}.")
    return ACCELERATORS[kind]


def accelerator_of(device_name: str) -> Accelerator | None:
    """The kind that a driver's name for a GPU belongs to; None where it is not known."""
    return next((one for one in ACCELERATORS.values() if one.name in device_name), None)
