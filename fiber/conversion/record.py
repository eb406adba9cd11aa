"""What a folder keeps of the file that it was converted from."""

import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file

from fiber.checkpoints.state import State
from fiber.checkpoints.tensor_file import write_tensors
from fiber.conversion.key_report import KeyReport
from fiber.conversion.origin import Extra, Origin
from fiber.data.readers.files import read_json
from fiber.utils.configs import build_dataclass

RECORD_FILE = "conversion.json"
EXTRA_FILE = "original_extra.safetensors"
OTHER_FILE = "original_other.safetensors"
"""Averaged or raw weights beside those of the model."""
REPORT, ORIGIN = "report", "origin"


def write_record(folder: Path, report: KeyReport, origin: Origin, extra: Extra) -> None:
    """Write the report, and tensors if there are any."""
    content = {REPORT: report.to_json(), ORIGIN: asdict(origin)}
    (folder / RECORD_FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for file, tensors in ((EXTRA_FILE, extra.beside), (OTHER_FILE, extra.other)):
        if tensors:
            write_tensors({name: value.contiguous().clone() for name, value in tensors.items()}, folder / file)


def read_record(folder: Path) -> tuple[Origin, Extra] | None:
    """What `write_record` wrote; None in a folder without."""
    file = folder / RECORD_FILE
    if not file.is_file():
        return None
    values = read_json(file, expected="the record of a conversion").get(ORIGIN, {})
    extra = Extra(read_tensors(folder / EXTRA_FILE), read_tensors(folder / OTHER_FILE))
    return build_dataclass(Origin, values, str(file)), extra


def read_tensors(file: Path) -> State:
    """Tensors of a file; none where there is no such file."""
    return load_file(file) if file.is_file() else {}
