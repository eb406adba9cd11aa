"""Devices, batch per device and rhythm of a run."""

from dataclasses import dataclass
from enum import StrEnum

from fiber.utils.errors import UserError


class Strategy(StrEnum):
    """How several processes share the work."""

    AUTO = "auto"
    """One process, or DDP where there are several devices."""
    DDP = "ddp"
    FSDP = "fsdp"
    """Parameters, gradients and optimiser state sharded over the processes."""


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """The part of a run that depends on the hardware."""

    batch_size: int
    """Samples per device and micro-batch; accumulation to the recipe's batch is derived."""
    accelerator: str = "auto"
    """`auto`, `gpu` or `cpu`."""
    devices: int | str = "auto"
    """Devices per node."""
    num_nodes: int = 1
    strategy: Strategy = Strategy.AUTO
    precision: str = "auto"
    """`auto`: bf16-mixed on a GPU, 32-true on a CPU; else a Lightning precision."""
    num_workers: int = 8
    """Processes that read data, per device."""
    log_every: int = 50
    """Optimiser steps."""
    val_every: int | None = 1000
    """Optimiser steps between two validations; None = an epoch."""
    checkpoint_every: int = 500
    """Optimiser steps between two writes of last.ckpt."""
    compile: bool = False
    """Compile the backbone: a minute at the start, faster steps after."""
    activation_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, a third more time."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "num_nodes", "log_every", "val_every", "checkpoint_every"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise UserError(f"trainer.{name}={getattr(self, name)}: give 1 or more.")
