"""Several runs under one command: data sets, shots and seeds, with a table of all and their mean."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from fiber.data.readers.odinw import DATASETS
from fiber.tasks.metrics import write_metrics
from fiber.utils.distributed import rank
from fiber.utils.errors import UserError

ALL = "all"
"""As `data.dataset`: the thirteen of ODinW."""


class RunResult(NamedTuple):
    """What a run found."""

    metrics: dict[str, float]
    headline: str
    """The metric that the table shows."""


class Axes(NamedTuple):
    """Keys of `data` that may be lists, with their values in one run."""

    dataset: str | None
    """None where the data have no such key."""
    shots: int | None
    shot_seed: int | None


class SuiteRun(NamedTuple):
    """One run."""

    axes: Axes
    config: DictConfig


class Suite(NamedTuple):
    """Runs that one command asks for."""

    runs: Sequence[SuiteRun]
    varied: Sequence[str]
    """Axes that were given as lists, of one value or more; none where the command asks for a plain run."""

    def folder(self, run: SuiteRun) -> str:
        """Name of a run's folder: what distinguishes it from the other runs."""
        return "/".join(
            str(value) if axis == "dataset" else f"{axis}_{'all' if value is None else value}"
            for axis, value in run.axes._asdict().items()
            if axis in self.varied
        )


def expand(config: DictConfig) -> Suite:
    """A run for every combination of data set, shots and seed where lists are given; one otherwise.

    Raises:
        UserError: an empty list, or one that repeats a value.
    """
    data = OmegaConf.to_container(config.data, resolve=False) if config.get("data") is not None else {}
    assert isinstance(data, dict)
    lists = {axis: listed(axis, data.get(axis)) for axis in Axes._fields}
    varied = [axis for axis, values in lists.items() if values is not None]
    choices = [[data.get(axis)] if values is None else values for axis, values in lists.items()]
    runs = []
    for axes in map(Axes._make, product(*choices)):
        own = config.copy()
        for axis in varied:
            own.data[axis] = getattr(axes, axis)
        runs.append(SuiteRun(axes, own))
    return Suite(runs, varied)


def listed(axis: str, value: Any) -> list[Any] | None:
    """What an axis runs through; None where it is one value.

    Raises:
        UserError: nothing, or the same twice.
    """
    if axis == "dataset" and value == ALL:
        return list(DATASETS)
    if not isinstance(value, list):
        return None
    if not value:
        raise UserError(f"data.{axis}=[]: give at least one value.")
    repeated = [one for place, one in enumerate(value) if one in value[:place]]
    if repeated:
        raise UserError(f"data.{axis} lists {repeated[0]} more than once: give each value once.")
    return value


def run_suite(suite: Suite, folder: Path, *, one: Callable[[DictConfig, Path], RunResult]) -> dict[str, float]:
    """Run all, one after the other; print a table and write `metrics.json`.

    Args:
        suite: the runs.
        folder: in which every run has its own.
        one: carries out a run in its folder.

    Returns:
        The content of `metrics.json`: `<folder of the run>/<metric>` and, over data sets and seeds, `mean/<metric>`,
        by the number of shots where there is one.
    """
    found: dict[str, float] = {}
    cells: dict[Cell, list[float]] = defaultdict(list)
    for run in suite.runs:
        name = suite.folder(run)
        result = one(run.config, folder / name)
        found |= {f"{name}/{metric}": value for metric, value in result.metrics.items()}
        cells[Cell(run.axes.dataset, run.axes.shots)].append(result.metrics[result.headline])
        found |= {f"mean/{label(shots)}{result.headline}": mean for shots, mean in mean_by_shots(cells).items()}
        if rank() == 0:  # after each run, as a suite may take days
            write_metrics(folder, found)
    if rank() == 0:
        console = Console()
        console.print(suite_table(cells, title=result.headline))
        console.print(f"everything is in {folder}", highlight=False, soft_wrap=True)
    return found


class Cell(NamedTuple):
    """Of the table; it holds the runs of all seeds."""

    dataset: str | None
    shots: int | None


def label(shots: int | None) -> str:
    """Middle of a mean's name."""
    return "" if shots is None else f"shots_{shots}/"


def mean_by_shots(cells: Mapping[Cell, Sequence[float]]) -> dict[int | None, float]:
    """Mean over data sets, each the mean over its seeds."""
    columns: dict[int | None, list[float]] = defaultdict(list)
    for place, values in cells.items():
        columns[place.shots].append(statistics.mean(values))
    return {shots: statistics.mean(values) for shots, values in columns.items()}


def suite_table(cells: Mapping[Cell, Sequence[float]], *, title: str) -> Table:
    """Data sets by shots; where there are several seeds, mean and standard deviation.

    Data without a name are one row, which is not named and needs no mean.
    """
    means = mean_by_shots(cells)
    names = [name for name in dict.fromkeys(place.dataset for place in cells) if name is not None]
    table = Table(title=title)
    if names:
        table.add_column("data set")
    for shots in means:
        table.add_column(column_title(shots), justify="right")
    if not names:
        table.add_row(*(cell_text(cells[Cell(None, shots)]) for shots in means))
        return table
    for name in names:
        table.add_row(name, *(cell_text(cells[Cell(name, shots)]) for shots in means))
    table.add_section()
    table.add_row("mean", *(f"{mean:.4f}" for mean in means.values()))
    return table


def column_title(shots: int | None) -> str:
    """`all`, `1 shot`, `3 shots`."""
    if shots is None:
        return "all"
    return "1 shot" if shots == 1 else f"{shots} shots"


def cell_text(values: Sequence[float]) -> str:
    """`0.4230`, or `0.4230 ± 0.0120`."""
    mean = f"{statistics.mean(values):.4f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.4f}"
