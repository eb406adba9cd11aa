"""The optimiser and its schedule over a run."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from fiber.models.grounded_detector import GroundedDetector
from fiber.tasks.fine_parameter_groups import FineGroupConfig
from fiber.tasks.optimizer import FineOptimizationConfig, RecipeSchedule, configure_optimizer
from fiber.tasks.schedules import Decay, ScheduleConfig

NUM_STEPS = 60
RECIPE = ScheduleConfig(decay=Decay.MULTISTEP, warmup=10, warmup_start=0.001, weight_decay_advance=0.667)
"""Milestones at steps 40 and 53; the weight decay falls at 27 and 36."""


def configure(model: nn.Module) -> tuple[torch.optim.Optimizer, RecipeSchedule]:
    config = FineOptimizationConfig(learning_rate=1e-4, batch_size=4, max_steps=NUM_STEPS, schedule=RECIPE)
    configured: Any = configure_optimizer(model, config)
    return configured["optimizer"], configured["lr_scheduler"]["scheduler"]


def settings(optimizer: torch.optim.Optimizer) -> list[tuple[float, float]]:
    return [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups]


def advance(optimizer: torch.optim.Optimizer, schedule: RecipeSchedule, steps: int) -> list[list[tuple[float, float]]]:
    """Rates and decays that each step is done with."""
    used = []
    for _ in range(steps):
        used.append(settings(optimizer))
        optimizer.step()
        schedule.step()
    return used


def test_rate_and_decay_of_every_step_follow_the_recipe(tiny_detector: GroundedDetector) -> None:
    optimizer, schedule = configure(tiny_detector)
    names = [group["name"] for group in optimizer.param_groups]
    base = {"vision-decay0.01": 1e-4, "vision-decay0": 2e-4, "language-decay0.01": 1e-5, "language-decay0": 2e-5}
    assert set(names) == set(base)
    for step, used in enumerate(advance(optimizer, schedule, NUM_STEPS)):
        warming = 0.001 * (1 - step / 10) + step / 10 if step < 10 else 1
        rate = warming * 0.1 ** ((step >= 40) + (step >= 53))
        decay = 0.01 * 0.1 ** ((step >= 0.667 * 40) + (step >= 0.667 * 53))
        for name, (lr, weight_decay) in zip(names, used, strict=True):
            assert lr == pytest.approx(base[name] * rate, rel=1e-9), (step, name)
            assert weight_decay == pytest.approx(0 if name.endswith("decay0") else decay, rel=1e-9), (step, name)


@pytest.mark.parametrize("interrupted", [0, 5, 27, 30, 41])
def test_a_resumed_run_goes_on_as_one_that_was_not_interrupted(
    tiny_detector: GroundedDetector, interrupted: int
) -> None:
    optimizer, schedule = configure(tiny_detector)
    expected = advance(optimizer, schedule, NUM_STEPS)
    optimizer, schedule = configure(tiny_detector)
    advance(optimizer, schedule, interrupted)
    saved = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
    optimizer, schedule = configure(tiny_detector)
    optimizer.load_state_dict(saved[0])
    schedule.load_state_dict(saved[1])
    assert advance(optimizer, schedule, NUM_STEPS - interrupted) == expected[interrupted:]


def test_the_recipe_of_the_fine_stage() -> None:
    config = FineOptimizationConfig(learning_rate=1e-4, batch_size=64, max_steps=10)
    assert config.betas == (0.9, 0.999)
    assert config.eps == 1e-8
    assert isinstance(config.groups, FineGroupConfig)


def test_weight_decay_stays_where_no_schedule_moves_it(tiny_detector: GroundedDetector) -> None:
    config = FineOptimizationConfig(
        learning_rate=1e-4, batch_size=4, max_steps=10, schedule=ScheduleConfig(decay=Decay.MULTISTEP)
    )
    configured: Any = configure_optimizer(tiny_detector, config)
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    assert {decay for used in advance(optimizer, schedule, 10) for _, decay in used} == {0.0, 0.01}
