"""Learning-rate schedules as factors of the base rate, per optimiser step."""

import math
from dataclasses import dataclass
from enum import StrEnum

from fiber.utils.errors import UserError


class Decay(StrEnum):
    POLYNOMIAL = "polynomial"
    COSINE = "cosine"


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """Linear warm-up, then decay to the last step."""

    decay: Decay = Decay.POLYNOMIAL
    power: float = 1.0
    """Of the polynomial; 1 is linear."""
    warmup: float = 0.1
    """Share of all steps if below 1, else a number of steps."""
    end_factor: float = 0.0
    """Last learning rate over the base rate, for polynomial decay."""

    def __post_init__(self) -> None:
        if self.warmup < 0:
            raise UserError(f"optimization.schedule.warmup={self.warmup}: give a share in [0, 1) or a number of steps.")

    def warmup_steps(self, num_steps: int) -> int:
        return int(self.warmup * num_steps) if self.warmup < 1 else int(self.warmup)


def learning_rate_factor(step: int, config: ScheduleConfig, num_steps: int) -> float:
    """Factor of every group's learning rate at a step, counted from 0.

    Args:
        step: optimiser steps done; the first step of a warm-up has rate 0.
        config: the schedule.
        num_steps: of the whole run; later steps keep the last factor.
    """
    warmup = config.warmup_steps(num_steps)
    if step < warmup:
        return step / max(1, warmup)
    progress = min(1.0, (step - warmup) / max(1, num_steps - warmup))
    if config.decay is Decay.COSINE:
        return 0.5 * (1 + math.cos(math.pi * progress))
    return float((1 - progress) ** config.power) * (1 - config.end_factor) + config.end_factor
