"""Rows of a benchmark: a table for people, JSON and CSV for machines."""

import csv
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from fiber.benchmarks.timing import Timing
from fiber.utils.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured variant."""

    part: str
    variant: str
    timing: Timing
    image_size: str
    """Pixels: a side, or height x width."""
    samples: int
    """Pairs or images per call."""
    queue_size: int | None = None
    """Where there is a queue of negatives."""
    peak_bytes: int | None = None
    flops: int | None = None
    """Operations of one call."""
    peak_flops: float | None = None
    """Operations per second the device could do."""

    def record(self) -> dict[str, Any]:
        """Flat figures: seconds, shares, GiB."""
        utilisation = self.flops / self.timing.median / self.peak_flops if self.flops and self.peak_flops else None
        return {
            "part": self.part,
            "variant": self.variant,
            "image_size": self.image_size,
            "batch_size": self.samples,
            "queue_size": self.queue_size,
            "seconds_median": self.timing.median,
            "spread": self.timing.spread,
            "repeats": len(self.timing.seconds),
            "samples_per_second": self.samples / self.timing.median,
            "peak_memory_gib": None if self.peak_bytes is None else self.peak_bytes / 2**30,
            "teraflops_per_call": None if self.flops is None else self.flops / 1e12,
            "flops_utilisation": utilisation,
        }


def print_table(rows: Sequence[Row], console: Console) -> None:
    """A table; at its end the ratio to the last row of the same part, the median of the rounds' ratios."""
    table = Table(title=f"{device_name()}, torch {torch.__version__}, {torch.get_num_threads()} CPU threads")
    headings = ("part", "variant", "median s", "spread", "samples/s", "peak GiB", "TFLOP", "utilisation", "ratio")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("part", "variant") else "right")
    for row in rows:
        record = row.record()
        last = next(other for other in reversed(rows) if other.part == row.part)
        ratio = last.timing.over(row.timing)
        table.add_row(
            row.part,
            row.variant,
            f"{record['seconds_median']:.4g}",
            f"± {record['spread']:.1%}",
            f"{record['samples_per_second']:.4g}",
            optional(record["peak_memory_gib"], "{:.2f}"),
            optional(record["teraflops_per_call"], "{:.3f}"),
            optional(record["flops_utilisation"], "{:.1%}"),
            f"{ratio.median:.2f} x ± {ratio.spread:.1%}",
        )
    console.print(table)


def optional(value: float | None, template: str) -> str:
    """A dash where there is no figure."""
    return "-" if value is None else template.format(value)


def device_name() -> str:
    """The accelerator if there is one, else the processor's architecture."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU ({platform.machine()})"


def write_json(rows: Sequence[Row], settings: dict[str, Any], path: Path) -> None:
    """All figures with the settings and the device they belong to."""
    content = {"device": device_name(), "torch": torch.__version__, "threads": torch.get_num_threads()}
    content |= {"settings": settings, "rows": [row.record() for row in rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


def append_csv(rows: Sequence[Row], settings: dict[str, Any], path: Path) -> None:
    """Add rows to a table that grows run by run; the header is written once.

    Raises:
        UserError: the file has other columns.
    """
    records = [{"device": device_name(), "torch": torch.__version__, **settings, **row.record()} for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    columns = list(records[0]) if new else path.read_text().partition("\n")[0].split(",")
    if set(columns) != set(records[0]):
        raise UserError(f"csv={path} has other columns than this benchmark: give a new file.")
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=columns, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(records)
