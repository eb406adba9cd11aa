"""Where a model runs."""

import torch

from fiber.utils.errors import UserError


def choose_device(name: str) -> torch.device:
    """`auto`, `cpu` or `cuda` as a device; `auto` takes a GPU where there is one.

    Raises:
        UserError: another name, or no GPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UserError(f"device={name}: give auto, cpu or cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: PyTorch sees no GPU here.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
