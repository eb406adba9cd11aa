"""Small files of json lines: the user's own, and NLVR2's."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fiber.data.readers.json_lines import JsonLinesReader
from fiber.data.readers.nlvr2 import Nlvr2Statements
from fiber.preparation.subsets.chosen_samples import ChosenSamples, grouped
from fiber.preparation.subsets.small_folder import SmallFolder


def write_json_lines(chosen: Sequence[ChosenSamples[JsonLinesReader[Any]]], folder: SmallFolder) -> None:
    """Write the chosen lines as they are."""
    for path, parts in grouped(chosen, lambda part: part.reader.path).items():
        wanted = {int(part.reader.places[index, 1]) for part in parts for index in part.indices}
        with path.open(encoding="utf-8") as file:
            lines = [line.rstrip("\n") for number, line in enumerate(file, start=1) if number in wanted]
        folder.write_lines(path, lines)


def write_nlvr2(chosen: Sequence[ChosenSamples[Nlvr2Statements]], folder: SmallFolder) -> None:
    """Write the lines of the chosen statements as they are."""
    for path, parts in grouped(chosen, lambda part: Path(part.arguments["annotation_file"])).items():
        wanted = {part.reader.statement(index).identifier for part in parts for index in part.indices}
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        folder.write_lines(path, [line for line in lines if json.loads(line)["identifier"] in wanted])
