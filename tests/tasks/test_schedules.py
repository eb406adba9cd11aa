"""Learning-rate factors against the published formula."""

import math

import pytest

from fiber.tasks.schedules import Decay, ScheduleConfig, learning_rate_factor, weight_decay_factor
from fiber.utils.errors import UserError

NUM_STEPS = 40
FINE = ScheduleConfig(decay=Decay.MULTISTEP, warmup=2000, warmup_start=0.001, weight_decay_advance=0.667)
"""Of the paper's second stage."""
FINE_STEPS = 800_000


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("end_factor", [0.0, 0.1])
@pytest.mark.parametrize("warmup", [0.0, 0.25, 7])
def test_polynomial_decay_equals_the_formula_in_learning_rates(power: float, end_factor: float, warmup: float) -> None:
    config = ScheduleConfig(power=power, end_factor=end_factor, warmup=warmup)
    first, last = 3e-4, 3e-4 * end_factor
    num_warmup = int(NUM_STEPS * warmup) if warmup < 1 else warmup
    for step in range(NUM_STEPS + 1):
        if step < num_warmup:
            expected = step / num_warmup
        else:
            left = 1 - (step - num_warmup) / (NUM_STEPS - num_warmup)
            expected = (left**power * (first - last) + last) / first
        assert learning_rate_factor(step, config, NUM_STEPS) == pytest.approx(expected, abs=1e-12)


def test_cosine_decay_falls_from_one_over_a_half_to_zero() -> None:
    config = ScheduleConfig(decay=Decay.COSINE, warmup=0.2)
    factors = [learning_rate_factor(step, config, NUM_STEPS) for step in (4, 8, 24, 32, 40)]
    assert factors == pytest.approx([0.5, 1.0, 0.5, 0.5 - math.sqrt(0.125), 0.0])


def test_steps_after_the_last_keep_its_factor() -> None:
    config = ScheduleConfig(end_factor=0.05)
    assert learning_rate_factor(10 * NUM_STEPS, config, NUM_STEPS) == pytest.approx(0.05)


def test_warmup_of_one_is_a_single_step() -> None:
    assert ScheduleConfig(warmup=1).warmup_steps(NUM_STEPS) == 1


def test_negative_warmup_is_refused() -> None:
    with pytest.raises(UserError, match=r"optimization\.schedule\.warmup=-0\.1"):
        ScheduleConfig(warmup=-0.1)


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 1.0e-7),
        (500, 2.5075e-5),
        (1000, 5.005e-5),
        (1999, 9.995005e-5),
        (2000, 1e-4),
        (535_999, 1e-4),
        (536_000, 1e-5),
        (711_999, 1e-5),
        (712_000, 1e-6),
        (900_000, 1e-6),
    ],
)
def test_multistep_decay_gives_the_published_rates(step: int, rate: float) -> None:
    assert 1e-4 * learning_rate_factor(step, FINE, FINE_STEPS) == pytest.approx(rate, rel=1e-9)


@pytest.mark.parametrize(
    ("step", "decay"), [(0, 1e-2), (357_511, 1e-2), (357_512, 1e-3), (474_903, 1e-3), (474_904, 1e-4), (800_000, 1e-4)]
)
def test_weight_decay_falls_ahead_of_the_rate(step: int, decay: float) -> None:
    assert 0.01 * weight_decay_factor(step, FINE, FINE_STEPS) == pytest.approx(decay, rel=1e-9)


def test_weight_decay_is_constant_unless_asked_for() -> None:
    config = ScheduleConfig(decay=Decay.MULTISTEP)
    assert {weight_decay_factor(step, config, NUM_STEPS) for step in range(NUM_STEPS)} == {1.0}


def test_milestones_inside_the_warmup_count_at_once() -> None:
    config = ScheduleConfig(decay=Decay.MULTISTEP, warmup=20, milestones=(0.25,))
    assert learning_rate_factor(10, config, NUM_STEPS) == pytest.approx(0.5 * 0.1)


def test_milestones_are_rounded_to_steps() -> None:
    assert ScheduleConfig().milestone_steps(150_780) == (101_023, 134_194)


@pytest.mark.parametrize("milestones", [(0.0,), (0.5, 1.0)])
def test_a_milestone_outside_the_run_is_refused(milestones: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match=r"optimization\.schedule\.milestones"):
        ScheduleConfig(milestones=milestones)


@pytest.mark.parametrize("warmup", [0, 20])
def test_a_plateau_leaves_the_step_nothing_but_warmup(warmup: int) -> None:
    config = ScheduleConfig(decay=Decay.PLATEAU, warmup=warmup)
    for step in (0, 5, 20, NUM_STEPS, 10 * NUM_STEPS):
        assert learning_rate_factor(step, config, NUM_STEPS) == min(1.0, step / warmup if warmup else 1.0)


def test_only_plateau_decay_follows_a_plateau() -> None:
    assert all((ScheduleConfig(decay=decay).plateau() is not None) == (decay is Decay.PLATEAU) for decay in Decay)
    plateau = ScheduleConfig(decay=Decay.PLATEAU, patience=1, stop_patience=None, gamma=0.5).plateau()
    assert plateau is not None
    assert (plateau.patience, plateau.stop_patience, plateau.gamma) == (1, None, 0.5)


@pytest.mark.parametrize(("option", "value"), [("patience", -1), ("stop_patience", 0), ("min_learning_rate", -0.1)])
def test_impossible_options_of_a_plateau_are_refused(option: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"optimization\.schedule\.{option}={value}: give"):
        ScheduleConfig(decay=Decay.PLATEAU, **{option: value})  # type: ignore[arg-type]
