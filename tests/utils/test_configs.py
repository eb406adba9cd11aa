"""Dataclasses from plain values, and what users are told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest

from fiber.utils.configs import build_dataclass
from fiber.utils.errors import UserError


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Outer:
    size: int
    color: Color = Color.RED
    limit: float | None = None
    devices: int | str = "auto"
    shuffle: bool = False
    pair: tuple[float, float] = (0.0, 1.0)
    names: Sequence[Any] | None = None
    span: tuple[int, int] | None = None
    inner: Inner = field(default_factory=Inner)


def test_nested_values_become_dataclasses_and_enumerations() -> None:
    values = {"size": 3, "color": "blue", "limit": 2, "devices": 4, "pair": [0.5, 0.6], "inner": {"rate": 1}}
    built = build_dataclass(Outer, values, "outer")
    assert built == Outer(size=3, color=Color.BLUE, limit=2, devices=4, pair=(0.5, 0.6), inner=Inner(rate=1))
    assert built.color is Color.BLUE


def test_a_list_may_be_given_where_there_may_be_none() -> None:
    names = ["a", {"name": "b"}]
    built = build_dataclass(Outer, {"size": 1, "names": names, "span": [3, 4]}, "outer")
    assert (built.names, built.span) == (("a", {"name": "b"}), (3, 4))
    built = build_dataclass(Outer, {"size": 1, "names": None, "span": None}, "outer")
    assert (built.names, built.span) == (None, None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 1, "sise": 2}, r"outer\.sise is no option. outer takes size, color"),
        ({}, r"outer\.size is missing"),
        ({"size": "large"}, r"outer\.size='large': give int"),
        ({"size": True}, r"outer\.size=True: give int"),
        ({"size": 1.5}, r"outer\.size=1\.5: give int"),
        ({"size": 1, "color": "green"}, r"outer\.color=green is not one of red, blue"),
        ({"size": 1, "limit": "x"}, r"outer\.limit='x': give float or null"),
        ({"size": 1, "names": "x"}, r"outer\.names='x': give a list or null"),
        ({"size": 1, "shuffle": "yes"}, r"outer\.shuffle='yes': give bool"),
        ({"size": 1, "inner": {"rat": 1}}, r"outer\.inner\.rat is no option"),
        ({"size": 1, "inner": None}, r"outer\.inner=None: give values for rate"),
        ({"size": 1, "inner": [1]}, r"outer\.inner=\[1\]: give values for rate"),
        ({"size": 1, "pair": [0.5, "x"]}, r"outer\.pair\.1='x': give float"),
        ({"size": 1, "pair": [0.5]}, r"outer\.pair=\[0\.5\]: give 2 values"),
        ({"size": 1, "pair": "ab"}, r"outer\.pair='ab': give a list"),
    ],
)
def test_a_mistake_is_answered_with_key_and_remedy(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_dataclass(Outer, values, "outer")
