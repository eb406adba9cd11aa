"""The optimiser and its schedule over a run."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from fiber.models.grounded_detector import GroundedDetector
from fiber.tasks.fine.parameter_groups import FineGroupConfig
from fiber.tasks.optimizer import FineOptimizationConfig, RecipeSchedule, configure_optimizer
from fiber.tasks.schedules import Decay, ScheduleConfig

NUM_STEPS = 60
RECIPE = ScheduleConfig(decay=Decay.MULTISTEP, warmup=10, warmup_start=0.001, weight_decay_advance=0.667)
"""Milestones at steps 40 and 53; the weight decay falls at 27 and 36."""


def configure(model: nn.Module, recipe: ScheduleConfig = RECIPE) -> tuple[torch.optim.Optimizer, RecipeSchedule]:
    config = FineOptimizationConfig(learning_rate=1e-4, batch_size=4, max_steps=NUM_STEPS, schedule=recipe)
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


PLATEAU = ScheduleConfig(decay=Decay.PLATEAU, warmup=4, patience=1, stop_patience=5)
FOUND = (0.0, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2)
"""Metric of the validation after every second step; the rate drops at the fourth and the sixth."""


def train_and_validate(
    optimizer: torch.optim.Optimizer, schedule: RecipeSchedule, found: tuple[float, ...]
) -> list[tuple[float, bool]]:
    """Rate of the first group that each step is done with, and whether the run should end by then."""
    used = []
    for value in found:
        for _ in range(2):
            used.append((optimizer.param_groups[0]["lr"], schedule.exhausted))
            optimizer.step()
            schedule.step()
        schedule.observe(value)
    return used


def test_a_plateau_lowers_the_rate_of_the_next_step_on_top_of_warmup(tiny_detector: GroundedDetector) -> None:
    optimizer, schedule = configure(tiny_detector, PLATEAU)
    base = schedule.base_lrs[0]
    rates = [rate / base for rate, _ in train_and_validate(optimizer, schedule, FOUND)]
    assert rates == pytest.approx([0.0, 0.25, 0.5, 0.75, *[1.0] * 4, *[0.1] * 4, *[0.01] * 2])
    assert schedule.exhausted


PUBLISHED = ScheduleConfig(decay=Decay.PLATEAU, warmup=0)
TRACE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.3, 0.30001, 0.2, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1)
"""Metric of each validation of the original's example; the rate drops at the tenth and the fourteenth."""


def rates_by_group(
    optimizer: torch.optim.Optimizer, schedule: RecipeSchedule, found: tuple[float, ...]
) -> dict[str, list[float]]:
    """Rate of every group after each validation, with a step between them."""
    rates: dict[str, list[float]] = {group["name"]: [] for group in optimizer.param_groups}
    for value in found:
        optimizer.step()
        schedule.step()
        schedule.observe(value)
        for group in optimizer.param_groups:
            rates[group["name"]].append(group["lr"])
    return rates


def test_the_published_trace_comes_out_and_no_group_falls_below_the_floor(tiny_detector: GroundedDetector) -> None:
    optimizer, schedule = configure(tiny_detector, PUBLISHED)
    rates = rates_by_group(optimizer, schedule, TRACE)
    assert rates["vision-decay0.01"] == pytest.approx([1e-4] * 9 + [1e-5] * 4 + [1e-6] * 2, rel=1e-12)
    assert rates["vision-decay0"] == pytest.approx([2e-4] * 9 + [2e-5] * 4 + [2e-6] * 2, rel=1e-12)
    assert rates["language-decay0.01"] == pytest.approx([1e-5] * 9 + [1e-6] * 6, rel=1e-12)
    assert rates["language-decay0"] == pytest.approx([2e-5] * 9 + [2e-6] * 4 + [1e-6] * 2, rel=1e-12)
    assert schedule.exhausted
    optimizer.step()
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == [rate[-1] for rate in rates.values()]


def test_a_group_that_starts_below_the_floor_keeps_its_rate(tiny_detector: GroundedDetector) -> None:
    recipe = ScheduleConfig(decay=Decay.PLATEAU, warmup=0, patience=0, min_learning_rate=5e-5)
    rates = rates_by_group(*configure(tiny_detector, recipe), (0.5,) * 4)
    assert rates["vision-decay0.01"] == pytest.approx([1e-4, 5e-5, 5e-5, 5e-5])
    assert rates["language-decay0.01"] == pytest.approx([1e-5] * 4)


def test_warmup_begins_below_the_floor(tiny_detector: GroundedDetector) -> None:
    optimizer, schedule = configure(tiny_detector, PLATEAU)
    schedule.observe(0.5)
    assert {group["lr"] for group in optimizer.param_groups} == {0.0}


@pytest.mark.parametrize("interrupted", range(len(FOUND)))
def test_a_resumed_run_remembers_its_plateau(tiny_detector: GroundedDetector, interrupted: int) -> None:
    expected = train_and_validate(*configure(tiny_detector, PLATEAU), FOUND)
    optimizer, schedule = configure(tiny_detector, PLATEAU)
    train_and_validate(optimizer, schedule, FOUND[:interrupted])
    saved = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
    optimizer, schedule = configure(tiny_detector, PLATEAU)
    optimizer.load_state_dict(saved[0])
    schedule.load_state_dict(saved[1])
    assert train_and_validate(optimizer, schedule, FOUND[interrupted:]) == expected[2 * interrupted :]


def test_validations_matter_to_no_other_decay(tiny_detector: GroundedDetector) -> None:
    optimizer, schedule = configure(tiny_detector)
    before = settings(optimizer)
    for _ in range(20):
        schedule.observe(0.1)
    assert (settings(optimizer), schedule.exhausted) == (before, False)


def test_a_run_resumed_with_plateau_decay_begins_with_a_fresh_plateau(tiny_detector: GroundedDetector) -> None:
    _, other = configure(tiny_detector)
    _, schedule = configure(tiny_detector, PLATEAU)
    schedule.load_state_dict(other.state_dict())
    assert schedule.plateau is not None
    assert schedule.plateau.factor == 1.0
