"""How captions are written, and what is refused."""

import math

import pytest

from fiber.generation.caption_generator import GenerationConfig
from fiber.utils.errors import UserError


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("num_beams", 0, "num_beams=0: give a whole number of at least 1"),
        ("max_length", 2, "max_length=2: give at least 3 tokens"),
        ("temperature", 0.0, r"temperature=0\.0: give a finite number above 0"),
        ("temperature", math.nan, "temperature=nan: give a finite number above 0"),
        ("temperature", math.inf, "temperature=inf: give a finite number above 0"),
        ("length_penalty", math.nan, "length_penalty=nan: give a finite number"),
    ],
)
def test_an_option_out_of_range_is_called_as_python_calls_it(option: str, value: float, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        GenerationConfig(**{option: value})  # type: ignore[arg-type]
