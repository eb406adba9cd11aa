"""When the rate drops and when the run ends."""

import math

import pytest

from fiber.tasks.plateau import Plateau

TRACE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.3, 0.30001, 0.2, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1)
"""Metric of each validation; the rate drops at the tenth and the fourteenth, and the run ends after the last."""


def make(patience: int = 3, stop_patience: int | None = 8, gamma: float = 0.1) -> Plateau:
    return Plateau(patience=patience, stop_patience=stop_patience, gamma=gamma)


def observe(plateau: Plateau, values: tuple[float, ...]) -> list[tuple[float, bool]]:
    """Factor and end after each value."""
    after = []
    for value in values:
        plateau.observe(value)
        after.append((plateau.factor, plateau.exhausted))
    return after


def test_the_published_trace_comes_out() -> None:
    plateau = make()
    factors, ends = zip(*observe(plateau, TRACE), strict=True)
    assert factors == pytest.approx([1.0] * 9 + [0.1] * 4 + [0.01] * 2)
    assert ends == (False,) * 14 + (True,)
    assert plateau.memory.best == 0.30001
    assert plateau.memory.rate_best == 0.3  # 0.30001 is no better by a ten-thousandth of it


def test_nothing_found_yet_is_no_plateau_however_long() -> None:
    assert observe(make(), (0.0,) * 50) == [(1.0, False)] * 50


def test_nothing_found_any_more_ends_the_run_but_leaves_the_rate() -> None:
    assert observe(make(stop_patience=3), (0.5, 0.0, 0.0, 0.0))[-1] == (1.0, True)


def test_ties_with_the_best_lower_the_rate_but_never_end_the_run() -> None:
    after = observe(make(stop_patience=2), (0.5,) * 10)
    assert [factor for factor, _ in after] == pytest.approx([1.0] * 4 + [0.1] * 4 + [0.01] * 2)
    assert not any(end for _, end in after)


@pytest.mark.parametrize("patience", [0, 1, 5])
def test_the_rate_drops_at_the_first_value_beyond_its_patience(patience: int) -> None:
    factors = [factor for factor, _ in observe(make(patience=patience), (0.5,) + (0.4,) * (patience + 1))]
    assert factors[:-1] == [1.0] * (patience + 1)
    assert factors[-1] == pytest.approx(0.1)


def test_an_improvement_begins_both_counts_anew() -> None:
    plateau = make(stop_patience=4)
    after = observe(plateau, (0.5, 0.4, 0.4, 0.4, 0.6, 0.4, 0.4, 0.4))
    assert after == [(1.0, False)] * 8
    plateau.observe(0.4)
    assert plateau.factor == pytest.approx(0.1)
    assert plateau.exhausted


def test_every_drop_multiplies_the_rate() -> None:
    plateau = make(patience=0, stop_patience=None, gamma=0.5)
    assert [factor for factor, _ in observe(plateau, (0.5,) * 5)] == [1.0, 0.5, 0.25, 0.125, 0.0625]


def test_without_patience_for_stopping_the_run_goes_on() -> None:
    assert not observe(make(stop_patience=None), (0.5,) + (0.1,) * 100)[-1][1]


def test_a_value_that_is_no_number_is_no_improvement() -> None:
    plateau = make(patience=1, stop_patience=2)
    factor, end = observe(plateau, (0.5, math.nan, math.nan))[-1]
    assert factor == pytest.approx(0.1)
    assert end
    assert plateau.memory.best == 0.5


@pytest.mark.parametrize("interrupted", range(len(TRACE)))
def test_a_restored_plateau_goes_on_alike(interrupted: int) -> None:
    first, second = make(), make()
    observe(first, TRACE[:interrupted])
    second.restore(first.state())
    assert observe(second, TRACE[interrupted:]) == observe(make(), TRACE)[interrupted:]
