"""AdamW with the recipe's groups and schedule.

PyTorch's AdamW decays before the update and adds epsilon after the bias correction; the original's (removed from
transformers) did both the other way round. The difference is below a percent of an update.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from fiber.tasks.coarse.parameter_groups import CoarseGroupConfig
from fiber.tasks.fine.parameter_groups import FineGroupConfig
from fiber.tasks.parameter_groups import GroupRules, optimizer_groups
from fiber.tasks.schedules import ScheduleConfig, learning_rate_factor, weight_decay_factor


@dataclass(frozen=True, kw_only=True)
class OptimizationConfig:
    """Everything between gradients and weights."""

    learning_rate: float
    """Base rate at the end of warm-up."""
    batch_size: int
    """Samples per optimiser step over all processes; accumulation follows from it."""
    max_steps: int
    """Optimiser steps; the schedule's length."""
    groups: GroupRules
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8
    ema_decay: float | None = None
    """Average the weights with this decay per step; the average is validated and kept as the model."""
    gradient_clip: float | None = None
    """Largest norm of the gradient."""


@dataclass(frozen=True, kw_only=True)
class CoarseOptimizationConfig(OptimizationConfig):
    """With the coarse stage's groups."""

    groups: CoarseGroupConfig = field(default_factory=CoarseGroupConfig)


@dataclass(frozen=True, kw_only=True)
class FineOptimizationConfig(OptimizationConfig):
    """With the fine stage's groups."""

    groups: FineGroupConfig = field(default_factory=FineGroupConfig)
    betas: tuple[float, float] = (0.9, 0.999)


class RecipeSchedule(LRScheduler):
    """Learning rate and weight decay of every group by the number of steps done, so that resuming finds both.

    With plateau decay the rate depends on validations as well, which `observe` takes in.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, config: ScheduleConfig, max_steps: int) -> None:
        self.config = config
        self.max_steps = max_steps
        self.plateau = config.plateau()
        self.base_decays = [group["weight_decay"] for group in optimizer.param_groups]
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Rate of every group for the next step."""
        factor = learning_rate_factor(self.last_epoch, self.config, self.max_steps)
        return [factor * self.decayed(float(base)) for base in self.base_lrs]

    def decayed(self, base: float) -> float:
        """A group's rate after the plateau's drops so far."""
        if self.plateau is None:
            return base
        return max(base * self.plateau.factor, min(base, self.config.min_learning_rate))

    def step(self, epoch: int | None = None) -> None:
        super().step(epoch)
        factor = weight_decay_factor(self.last_epoch, self.config, self.max_steps)
        for group, base in zip(self.optimizer.param_groups, self.base_decays, strict=True):
            group["weight_decay"] = base * factor

    def observe(self, value: float) -> None:
        """Take in the monitored metric of a validation; the next step is done with the rate that follows."""
        if self.plateau is None:
            return
        self.plateau.observe(value)
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = rate

    @property
    def exhausted(self) -> bool:
        """Whether the run should end before its last step."""
        return self.plateau is not None and self.plateau.exhausted

    def state_dict(self) -> dict[str, Any]:
        """The steps done and what the plateau remembers; everything else follows from the recipe."""
        state: dict[str, Any] = {"last_epoch": self.last_epoch}
        return state if self.plateau is None else state | {"plateau": self.plateau.state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """A run that had another decay before begins with a fresh plateau."""
        self.last_epoch = state_dict["last_epoch"]
        if self.plateau is not None and "plateau" in state_dict:
            self.plateau.restore(state_dict["plateau"])


def configure_optimizer(model: nn.Module, config: OptimizationConfig) -> OptimizerLRSchedulerConfig:
    """Optimiser and per-step schedule for Lightning."""
    optimizer = torch.optim.AdamW(
        optimizer_groups(model, config.groups, config.learning_rate),
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.eps,
        fused=next(model.parameters()).is_cuda,
    )
    schedule = RecipeSchedule(optimizer, config.schedule, config.max_steps)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
