"""Numbers of a configuration held against what they can be."""

import math
from collections.abc import Sequence

from fiber.utils.errors import UserError


def check_counts(config: object, where: str, *names: str) -> None:
    """Raise a UserError unless these attributes are whole numbers of at least 1, or not empty and all of that kind.

    Args:
        config: has the attributes.
        where: stands before a name in messages, such as `model.text.`.
        names: of the attributes.
    """
    for name in names:
        value = getattr(config, name)
        several = isinstance(value, Sequence) and not isinstance(value, str)
        items = value if several else [value]
        if not items or not all(is_whole(item) and item >= 1 for item in items):
            wanted = "whole numbers of at least 1 each" if several else "a whole number of at least 1"
            raise UserError(f"{where}{name}={value}: give {wanted}.")


def check_positive(config: object, where: str, *names: str) -> None:
    """Raise a UserError unless these attributes are finite numbers above 0; arguments as of `check_counts`."""
    for name in names:
        value = getattr(config, name)
        if not is_number(value) or not 0 < value < math.inf:
            raise UserError(f"{where}{name}={value}: give a finite number above 0.")


def check_finite(config: object, where: str, *names: str) -> None:
    """Raise a UserError unless these attributes are finite numbers; arguments as of `check_counts`."""
    for name in names:
        value = getattr(config, name)
        if not is_number(value) or not math.isfinite(value):
            raise UserError(f"{where}{name}={value}: give a finite number.")


def check_shares(config: object, where: str, *names: str) -> None:
    """Raise a UserError unless these attributes are in [0, 1); arguments as of `check_counts`."""
    for name in names:
        value = getattr(config, name)
        if not is_number(value) or not 0 <= value < 1:
            raise UserError(f"{where}{name}={value}: give a share in [0, 1).")


def is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
