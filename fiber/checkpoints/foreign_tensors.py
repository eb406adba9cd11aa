"""Tensors of a file that others wrote, held against what a model can be filled with."""

import re

import torch
from torch import Tensor

from fiber.checkpoints.state import State
from fiber.utils.errors import UserError

WEIGHTS = re.compile(
    r".*(weight|bias|bias_table|bias0|bias_lang|scales?|gate|alpha_i2t|alpha_t2i|temp|temperature|offsets)$"
)
"""Ends of names, ours or others', of what is trained; all else may be whole numbers."""
FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def refuse_unusable(tensors: State, where: str) -> None:
    """Hold every tensor of a file against what is behind it.

    Args:
        tensors: by name.
        where: option and file, for messages.

    Raises:
        UserError: one is sparse, has no numbers, repeats few, or is a weight in whole, complex or 8-bit numbers.
    """
    for name, value in tensors.items():
        if fault := find_fault(name, value):
            raise UserError(f"{where}: {name} {fault}.")


def find_fault(name: str, value: Tensor) -> str | None:
    """What makes a tensor unusable, and how to save it instead; None if nothing does."""
    if value.layout is not torch.strided:
        return f"is of layout {value.layout}: save it with .to_dense()"
    if value.device.type != "cpu":
        return f"is on {value.device} and has no numbers: save the model after its weights are loaded"
    needed, held = value.numel() * value.element_size(), value.untyped_storage().nbytes()
    if needed > held:
        return f"repeats {held} bytes to fill {tuple(value.shape)}: save it with .contiguous()"
    if WEIGHTS.match(name) and value.dtype not in FLOATING:
        return f"holds {value.dtype}: give the file from before it was quantised, with weights of float16 to float64"
    return None
