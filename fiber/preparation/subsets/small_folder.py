"""Where the files of a small copy go."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fiber.preparation.options import require_empty
from fiber.utils.errors import UserError


class SmallFolder:
    """A folder with the layout of another.

    Args:
        source: the whole data sets, `data_dir`.
        target: the small copy.

    Raises:
        UserError: `target` holds something.
    """

    def __init__(self, source: str | Path, target: str | Path) -> None:
        self.source, self.target = Path(os.path.abspath(source)), Path(os.path.abspath(target))
        require_empty(target)

    def place(self, path: str | Path) -> Path:
        """Where a file of the whole data goes; its folder is made.

        Raises:
            UserError: the file does not lie in `data_dir`.
        """
        whole = Path(os.path.abspath(path))  # links stay links: the layout is that of the names
        if not whole.is_relative_to(self.source):
            raise UserError(
                f"{path} does not lie in data_dir={self.source}: give the data_dir that holds all of the data."
            )
        place = self.target / whole.relative_to(self.source)
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def new(self, path: str | Path) -> Path:
        """Where a file goes that is not copied as it is.

        Raises:
            UserError: it was written before; also as `place` says.
        """
        place = self.place(path)
        if place.exists():
            raise UserError(
                f"{path} belongs to two parts of the data that cannot be made small together: leave one of them out, a "
                "split as in '~data.splits.NAME'."
            )
        return place

    def copy(self, path: str | Path) -> None:
        """Copy a file, once."""
        place = self.place(path)
        if not place.exists():
            shutil.copy2(path, place)

    def write_json(self, path: str | Path, content: Any) -> None:
        """Write the small content of a json file."""
        self.new(path).write_text(json.dumps(content), encoding="utf-8")

    def write_lines(self, path: str | Path, lines: Sequence[str]) -> None:
        """Write the lines, without their ends, that are left of a text file."""
        self.new(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
