"""Verifying data: what is there, what is missing, and what cannot be decoded."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from fiber.data.readers.base import Reader, UnknownSplitError
from fiber.data.readers.files import MissingFileError, MissingFolderError
from fiber.data.readers.packed import PackedReader
from fiber.data.readers.packed_index import shard_faults
from fiber.preparation.data_splits import DataSplit, data_splits
from fiber.preparation.image_checks import ImageChecker
from fiber.preparation.left_out import left_out
from fiber.preparation.verification_report import (
    Problem,
    SplitReport,
    SplitStatus,
    report_json,
    report_notes,
    report_table,
)
from fiber.utils.configs import convert
from fiber.utils.errors import UserError

INCOMPLETE = 1
"""Exit status where something is missing or unreadable."""
MIN_WIDTH = 120
"""Characters of the table where the output is no terminal."""


def verify_data(config: DictConfig) -> int:
    """Look at every reader of the data file, print a table, and write it as JSON if wanted.

    Args:
        config: composed from `configs/prepare_data.yaml`: `data`, `decode`, `num_workers`, and `output`, which may be
            null.

    Returns:
        Status to exit with: 0 = everything is there, 1 = something is missing or unreadable.

    Raises:
        UserError: `data` refers to a key that is not there, or an option is of the wrong kind.
    """
    checker = ImageChecker(
        decode=convert(bool, config.decode, "decode"),
        num_workers=convert(int | None, config.num_workers, "num_workers"),
    )
    reports = [verify_split(split, checker) for split in data_splits(config)]
    console = Console()
    console.width = max(console.width, MIN_WIDTH)
    console.print(report_table(reports), highlight=False)
    for note in report_notes(reports):
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    if config.output is not None:
        Path(config.output).parent.mkdir(parents=True, exist_ok=True)
        Path(config.output).write_text(report_json(reports), encoding="utf-8")
    return 0 if all(report.suffices for report in reports) else INCOMPLETE


def verify_split(split: DataSplit, checker: ImageChecker) -> SplitReport:
    """Look at one reader; what keeps it from being read becomes part of the report."""
    name = split.format
    try:
        reader = split.build()
        name = reader.name
        if damaged := damaged_shards(reader, checksum=checker.decode):
            return SplitReport(name, split.name, problem=Problem(SplitStatus.DAMAGED, ", ".join(damaged)))
        counts = checker.check(reader)
        passed_over = left_out(reader, training=split.name == "train")
    except MissingFolderError as error:
        problem = Problem(SplitStatus.NO_FOLDER, str(error.path))
    except MissingFileError as error:
        problem = Problem(SplitStatus.NO_ANNOTATIONS, str(error.path))
    except UnknownSplitError as error:
        problem = Problem(SplitStatus.WRONG if split.required else SplitStatus.ABSENT, str(error))
    except UserError as error:
        problem = Problem(SplitStatus.WRONG, str(error))
    else:
        return SplitReport(name, split.name, len(reader), counts, passed_over)
    return SplitReport(name, split.name, problem=problem)


def damaged_shards(reader: Reader, *, checksum: bool) -> list[str]:
    """Packed shards that are not as they were packed, each with what is wrong; none of other data.

    Args:
        reader: of the split.
        checksum: read the whole shards; False compares their sizes alone.
    """
    if not isinstance(reader, PackedReader):
        return []
    faults = shard_faults(reader.samples.folder, reader.samples.listing, checksum=checksum)
    return [f"{path} {fault}" for path, fault in faults.items()]
