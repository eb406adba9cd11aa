"""Learning-rate and weight-decay schedules as factors of the base values, per optimiser step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from fiber.tasks.plateau import Plateau
from fiber.utils.errors import UserError


class Decay(StrEnum):
    POLYNOMIAL = "polynomial"
    COSINE = "cosine"
    MULTISTEP = "multistep"
    PLATEAU = "plateau"
    """By validations: nothing but warm-up follows from the step."""


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """Linear warm-up, then decay to the last step, or whenever validations no longer improve."""

    decay: Decay = Decay.POLYNOMIAL
    power: float = 1.0
    """Of the polynomial; 1 is linear."""
    warmup: float = 0.1
    """Share of all steps if below 1, else a number of steps."""
    warmup_start: float = 0.0
    """Factor of the first step of a warm-up."""
    end_factor: float = 0.0
    """Last learning rate over the base rate, for polynomial decay."""
    milestones: Sequence[float] = (0.67, 0.89)
    """Shares of all steps at which multistep decay multiplies the rate by `gamma`."""
    gamma: float = 0.1
    """Factor of a drop, for multistep and plateau decay."""
    patience: int = 3
    """Validations without improvement that plateau decay bears: the rate drops at the next."""
    stop_patience: int | None = 8
    """Validations in a row below the best that end a run with plateau decay; None = it runs to its last step."""
    min_learning_rate: float = 1e-6
    """Below which plateau decay takes no group's rate; of a group that starts below, the rate stays."""
    weight_decay_advance: float | None = None
    """The weight decay is multiplied by `gamma` too, each time at this share of a milestone; None leaves it alone."""

    def __post_init__(self) -> None:
        if self.warmup < 0:
            raise UserError(f"optimization.schedule.warmup={self.warmup}: give a share in [0, 1) or a number of steps.")
        if any(not 0 < share < 1 for share in self.milestones):
            raise UserError(f"optimization.schedule.milestones={list(self.milestones)}: give shares between 0 and 1.")
        if self.patience < 0:
            raise UserError(f"optimization.schedule.patience={self.patience}: give a number of validations, or 0.")
        if self.stop_patience is not None and self.stop_patience < 1:
            raise UserError(
                f"optimization.schedule.stop_patience={self.stop_patience}: give a number of validations, or null to "
                "train to the last step."
            )
        if self.min_learning_rate < 0:
            raise UserError(f"optimization.schedule.min_learning_rate={self.min_learning_rate}: give 0 or more.")

    def plateau(self) -> Plateau | None:
        """A fresh plateau where the decay follows one."""
        if self.decay is not Decay.PLATEAU:
            return None
        return Plateau(patience=self.patience, stop_patience=self.stop_patience, gamma=self.gamma)

    def warmup_steps(self, num_steps: int) -> int:
        return int(self.warmup * num_steps) if self.warmup < 1 else int(self.warmup)

    def milestone_steps(self, num_steps: int) -> tuple[int, ...]:
        return tuple(round(share * num_steps) for share in self.milestones)


def learning_rate_factor(step: int, config: ScheduleConfig, num_steps: int) -> float:
    """Factor of every group's learning rate at a step, counted from 0; a plateau's own factor comes on top.

    Args:
        step: optimiser steps done.
        config: the schedule.
        num_steps: of the whole run; later steps keep the last factor.
    """
    warmup = config.warmup_steps(num_steps)
    warming = 1.0
    if step < warmup:
        warming = config.warmup_start + (1 - config.warmup_start) * step / warmup
    if config.decay is Decay.PLATEAU:
        return warming
    if config.decay is Decay.MULTISTEP:
        return float(warming * config.gamma ** sum(step >= at for at in config.milestone_steps(num_steps)))
    progress = min(1.0, max(0, step - warmup) / max(1, num_steps - warmup))
    if config.decay is Decay.COSINE:
        return warming * 0.5 * (1 + math.cos(math.pi * progress))
    return warming * (float((1 - progress) ** config.power) * (1 - config.end_factor) + config.end_factor)


def weight_decay_factor(step: int, config: ScheduleConfig, num_steps: int) -> float:
    """Factor of every group's weight decay after `step` optimiser steps."""
    if config.weight_decay_advance is None:
        return 1.0
    share = config.weight_decay_advance
    return float(config.gamma ** sum(step >= share * at for at in config.milestone_steps(num_steps)))
