"""Numbers out of range are named with what they can be."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from fiber.utils.errors import UserError
from fiber.utils.ranges import check_counts, check_finite, check_positive, check_shares


@pytest.mark.parametrize(
    ("check", "good", "bad", "message"),
    [
        (check_counts, [1, 10**6, [1], (2, 3)], [0, -1, True, 1.0, "4", None, [], [1, 0], [1, "x"]], "at least 1"),
        (check_positive, [1e-9, 3], [0, -1.0, math.nan, math.inf, "1", True], "a finite number above 0"),
        (check_finite, [0, -1.5], [math.nan, -math.inf, None], "a finite number"),
        (check_shares, [0, 0.99], [1, -0.1, math.nan, "0.5"], r"a share in \[0, 1\)"),
    ],
)
def test_a_number_is_taken_or_named(check: Callable[..., None], good: list[Any], bad: list[Any], message: str) -> None:
    for value in good:
        check(SimpleNamespace(size=value), "model.", "size")
    for value in bad:
        with pytest.raises(UserError, match=rf"model\.size=.*: give .*{message}"):
            check(SimpleNamespace(size=value), "model.", "size")
