"""What was found of data, as a table for people and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from rich.table import Table

from fiber.preparation.image_checks import ImageCounts

MAX_NAMED = 5
"""Images named of each reader and kind; more are only counted."""


class SplitStatus(StrEnum):
    """What was found of a split, in words."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    """Images are missing or cannot be decoded."""
    NO_ANNOTATIONS = "annotations missing"
    NO_FOLDER = "folder missing"
    """Of images or of annotations."""
    DAMAGED = "shards damaged"
    """Missing, cut, or other than they were packed."""
    WRONG = "cannot be read"
    ABSENT = "no such split"
    """Nor need there be one."""


class Problem(NamedTuple):
    """Why a split is not read."""

    status: SplitStatus
    detail: str
    """Path, or the reader's message."""


@dataclass(frozen=True)
class SplitReport:
    """What was found of one reader."""

    dataset: str
    split: str
    samples: int = 0
    images: ImageCounts = field(default_factory=lambda: ImageCounts(0))
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Number of annotations that the reader or training passes over, by kind; no reason to call data incomplete."""
    first: str = ""
    """Where its first image lies."""
    problem: Problem | None = None

    @property
    def status(self) -> SplitStatus:
        if self.problem is not None:
            return self.problem.status
        return SplitStatus.COMPLETE if self.images.found == self.images.images else SplitStatus.INCOMPLETE

    @property
    def suffices(self) -> bool:
        """Whether nothing is missing or unreadable that the data set has."""
        return self.status in (SplitStatus.COMPLETE, SplitStatus.ABSENT)

    def to_json(self) -> dict[str, Any]:
        """All names of missing and unreadable images among it."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "samples": self.samples,
            "images": self.images.images,
            "found": self.images.found,
            "missing": len(self.images.missing),
            "unreadable": len(self.images.unreadable),
            "left_out": dict(self.left_out),
            "status": str(self.status),
            "problem": None if self.problem is None else self.problem.detail,
            "missing_images": list(self.images.missing),
            "unreadable_images": list(self.images.unreadable),
        }


def report_json(reports: Sequence[SplitReport]) -> str:
    """Content of the file."""
    content = {
        "complete": all(report.suffices for report in reports),
        "splits": [report.to_json() for report in reports],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def is_same(one: SplitReport, other: SplitReport) -> bool:
    """Whether two splits of other names are the same samples, or lack the same file."""
    details = [None if report.problem is None else report.problem.detail for report in (one, other)]
    same = replace(one, split="", problem=None) == replace(other, split="", problem=None)
    return one.split != other.split and same and details[0] == details[1]


def merged(reports: Sequence[SplitReport]) -> list[SplitReport]:
    """One report of splits that are the same, such as `val, valid`, with the status of the first."""
    groups: list[list[SplitReport]] = []
    for report in reports:
        same = next((group for group in groups if all(is_same(report, one) for one in group)), None)
        if same is None:
            groups.append([report])
        else:
            same.append(report)
    return [replace(group[0], split=", ".join(one.split for one in group)) for group in groups]


def report_table(reports: Sequence[SplitReport]) -> Table:
    """A row of every reader; one for the same under two names."""
    table = Table()
    table.add_column("data set", overflow="fold")
    table.add_column("split")
    for column in ("samples", "images", "found", "missing", "unreadable", "left out"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for report in merged(reports):
        counts = report.images
        numbers = (
            report.samples,
            counts.images,
            counts.found,
            len(counts.missing),
            len(counts.unreadable),
            sum(report.left_out.values()),
        )
        cells = [f"{number:,}" if report.problem is None else "" for number in numbers]
        table.add_row(report.dataset, report.split, *cells, str(report.status))
    return table


def report_notes(reports: Sequence[SplitReport]) -> list[str]:
    """Why splits are not read, the first missing and unreadable images, and what is left out, a line each."""
    notes = []
    for report in merged(reports):
        where = f"{report.dataset} ({report.split})"
        if report.problem is not None:
            notes.append(f"{where}: {report.problem.status}: {report.problem.detail}")
        for word, images in (("missing", report.images.missing), ("unreadable", report.images.unreadable)):
            notes += [f"{where}: {word} {image}" for image in images[:MAX_NAMED]]
            if len(images) > MAX_NAMED:
                notes.append(f"{where}: {word} {len(images) - MAX_NAMED:,} more")
        notes += [f"{where}: left out {count:,} times {kind}" for kind, count in report.left_out.items()]
    return notes
