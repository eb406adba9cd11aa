"""Verifying data: what is there, what is missing, and what cannot be decoded."""

from collections.abc import Container, Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from fiber.data.readers.base import Reader, UnknownSplitError
from fiber.data.readers.files import MissingFileError, MissingFolderError, write_whole
from fiber.data.readers.packed import PackedReader
from fiber.data.readers.packed_index import shard_faults
from fiber.preparation.data_contents import require_content
from fiber.preparation.data_splits import DataSplit, data_splits
from fiber.preparation.image_checks import ImageChecker
from fiber.preparation.left_out import left_out
from fiber.preparation.options import positive, require_writable
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
        UserError: `data` refers to a key that is not there, there is no `data_dir`, an option is of the wrong kind, or
            `output` cannot be written.
    """
    output = None if config.output is None else require_writable(str(config.output))
    checker = ImageChecker(
        decode=convert(bool, config.decode, "decode"),
        num_workers=positive(config, "num_workers"),
    )
    splits = data_splits(config)
    require_data_dir(config, splits)
    reports = [verify_split(split, checker, keys=config.data) for split in splits]
    console = Console()
    console.width = max(console.width, MIN_WIDTH)
    console.print(report_table(reports), highlight=False)
    for note in report_notes(reports):
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    if output is not None:
        write_whole(output, lambda file: file.write(report_json(reports).encode()))
    return 0 if all(report.suffices for report in reports) else INCOMPLETE


def require_data_dir(config: DictConfig, splits: Sequence[DataSplit]) -> None:
    """Raise a UserError if data are to be read from `data_dir`, and there is no such folder."""
    folder = config.get("data_dir")
    if folder is not None and not Path(folder).is_dir() and any(split.lies_in(str(folder)) for split in splits):
        wrong = "is no folder" if Path(folder).exists() else "does not exist"
        raise UserError(f"data_dir={folder} {wrong}: give the folder of the data sets.")


def verify_split(split: DataSplit, checker: ImageChecker, *, keys: Container[str] = ()) -> SplitReport:
    """Look at one reader; what keeps it from being read becomes part of the report.

    Args:
        split: the reader.
        checker: of its images.
        keys: of `data`, which tell what it should hold.
    """
    name = split.label
    try:
        reader = split.build()
        name = reader.name
        if isinstance(reader, PackedReader):
            require_content(reader, keys)
        if damaged := damaged_shards(reader, checksum=checker.decode):
            return SplitReport(name, split.name, problem=Problem(SplitStatus.DAMAGED, ", ".join(damaged)))
        counts = checker.check(reader)
        passed_over = left_out(reader, training=split.name == "train")
    except MissingFolderError as error:
        problem = Problem(SplitStatus.NO_FOLDER, str(error.path))
    except MissingFileError as error:
        status = SplitStatus.NO_ANNOTATIONS if split.required else SplitStatus.ABSENT
        problem = Problem(status, str(error.path))
    except UnknownSplitError as error:
        problem = Problem(SplitStatus.WRONG if split.required else SplitStatus.ABSENT, str(error))
    except UserError as error:
        problem = Problem(SplitStatus.WRONG, str(error))
    else:
        first = reader.location(0) if len(reader) else ""
        return SplitReport(name, split.name, len(reader), counts, passed_over, first)
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
