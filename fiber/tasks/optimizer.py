"""AdamW with the recipe's groups and schedule.

PyTorch's AdamW decays before the update and adds epsilon after the bias correction; the original's (removed from
transformers) did both the other way round. The difference is below a percent of an update.
"""

from dataclasses import dataclass, field

import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from fiber.tasks.parameter_groups import GroupConfig, optimizer_groups
from fiber.tasks.schedules import ScheduleConfig, learning_rate_factor


@dataclass(frozen=True, kw_only=True)
class OptimizationConfig:
    """Everything between gradients and weights."""

    learning_rate: float
    """Base rate, of the backbones, at the end of warm-up."""
    batch_size: int
    """Pairs per optimiser step over all processes; accumulation follows from it."""
    max_steps: int
    """Optimiser steps; the schedule's length."""
    groups: GroupConfig = field(default_factory=GroupConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8


def configure_optimizer(model: nn.Module, config: OptimizationConfig) -> OptimizerLRSchedulerConfig:
    """Optimiser and per-step schedule for Lightning."""
    optimizer = torch.optim.AdamW(
        optimizer_groups(model, config.groups, config.learning_rate),
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.eps,
        fused=next(model.parameters()).is_cuda,
    )
    schedule = LambdaLR(optimizer, lambda step: learning_rate_factor(step, config.schedule, config.max_steps))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
