"""Small tables of Objects365."""

import os
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from fiber.data.readers.objects365_tsv import Objects365Tsv, read_yaml, resolve
from fiber.data.readers.tsv import TsvFile
from fiber.preparation.subsets.chosen_samples import ChosenSamples, grouped
from fiber.preparation.subsets.small_folder import SmallFolder

TABLES = ("img", "label", "hw")
NUMBER_FILES = ("jsondict", "labelmap")


def write_objects365(chosen: Sequence[ChosenSamples[Objects365Tsv]], folder: SmallFolder) -> None:
    """Write the chosen rows of every table, their index and line list, and a yaml file that names them."""
    for yaml_file, parts in grouped(chosen, lambda part: Path(part.reader.yaml_file)).items():
        reader = parts[0].reader
        entries = sorted({index for part in parts for index in part.indices})
        rows = sorted({int(reader.rows[entry]) for entry in entries})
        files = read_yaml(yaml_file)
        for key in files.keys() & {*TABLES, *NUMBER_FILES, "linelist"}:
            path = resolve(files, key, yaml_file)
            if key in TABLES:
                write_rows(TsvFile(path), rows, folder.new(path))
            elif key == "linelist":
                folder.write_lines(path, [str(rows.index(int(reader.rows[entry]))) for entry in entries])
            else:
                folder.copy(path)
            files[key] = os.path.relpath(folder.place(path), folder.place(yaml_file).parent)
        OmegaConf.save(OmegaConf.create(files), folder.new(yaml_file))


def write_rows(table: TsvFile, rows: Sequence[int], place: Path) -> None:
    """Write some rows of a table as they are, and where they start."""
    starts = []
    with place.open("wb") as file:
        for row in rows:
            starts.append(file.tell())
            start = int(table.offsets[row])
            end = table.data.find(b"\n", start)
            file.write(table.data[start : end if end >= 0 else len(table.data)] + b"\n")
    place.with_suffix(".lineidx").write_text("".join(f"{start}\n" for start in starts))
