"""Pickles of plain data, which cannot run code."""

import pickle
from pathlib import Path
from typing import Any

from fiber.data.readers.files import require_file
from fiber.utils.errors import UserError

DAMAGED = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)
"""What the unpickler raises on bytes that are no pickle."""


class PlainUnpickler(pickle.Unpickler):
    """Makes numbers, text, lists, tuples, sets and mappings only."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse every class and function.

        Raises:
            pickle.UnpicklingError: always.
        """
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, but only plain data are read")


def read_plain_pickle(path: Path, *, expected: str) -> Any:
    """Content of a pickle, which may be Python 2's.

    Args:
        path: of the file.
        expected: what it should hold, for the message.

    Raises:
        UserError: there is no such file, it is no pickle, or it holds anything but plain data.
    """
    require_file(path, expected=expected)
    with path.open("rb") as file:
        try:
            return PlainUnpickler(file, encoding="latin1").load()
        except DAMAGED as error:
            raise UserError(f"{path} cannot be read ({error}): expected {expected}.") from error
