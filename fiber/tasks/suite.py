"""Several runs under one command: data sets, shots and seeds, with a table of all and their mean."""

import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console
from rich.table import Table

from fiber.data.readers.odinw import DATASETS
from fiber.utils.distributed import rank
from fiber.utils.errors import UserError

ALL = "all"
"""As `data.dataset`: the thirteen of ODinW."""
AXES = ("dataset", "shots", "shot_seed")
"""Keys of `data` that may be lists."""


class RunResult(NamedTuple):
    """What a run found."""

    metrics: dict[str, float]
    headline: str
    """The metric that the table shows."""


class SuiteRun(NamedTuple):
    """One run."""

    values: tuple[Any, ...]
    """Of the axes."""
    config: DictConfig

    @property
    def dataset(self) -> str:
        return str(self.values[0])

    @property
    def shots(self) -> int | None:
        shots: int | None = self.values[1]
        return shots

    def folder(self, varied: Sequence[bool]) -> str:
        """Name of its folder: what distinguishes it from the other runs."""
        parts = [
            f"{axis}_{'all' if value is None else value}" if axis != "dataset" else str(value)
            for axis, value, many in zip(AXES, self.values, varied, strict=True)
            if many
        ]
        return "/".join(parts)


def expand(config: DictConfig) -> list[SuiteRun]:
    """A run for every combination of data set, shots and seed where lists are given; one otherwise.

    Raises:
        UserError: an empty list.
    """
    data = OmegaConf.to_container(config.data, resolve=False) if config.get("data") is not None else {}
    assert isinstance(data, dict)
    values = [options(axis, data.get(axis)) for axis in AXES]
    runs = []
    for combination in product(*values):
        own = config.copy()
        with open_dict(own):
            for axis, value in zip(AXES, combination, strict=True):
                if axis in data:
                    own.data[axis] = value
        runs.append(SuiteRun(combination, own))
    return runs


def options(axis: str, value: Any) -> list[Any]:
    """What an axis runs through."""
    if axis == "dataset" and value == ALL:
        return list(DATASETS)
    if not isinstance(value, list):
        return [value]
    if not value:
        raise UserError(f"data.{axis}=[]: give at least one value.")
    return list(value)


def run_suite(
    runs: Sequence[SuiteRun], folder: Path, *, one: Callable[[DictConfig, Path], RunResult]
) -> dict[str, float]:
    """Run all, one after the other; print a table and write `metrics.json`.

    Args:
        runs: two or more.
        folder: in which every run has its own.
        one: carries out a run in its folder.

    Returns:
        The content of `metrics.json`: `<folder of the run>/<metric>` and, over data sets and seeds, `mean/<metric>`,
        by the number of shots where there are several.
    """
    varied = [len({run.values[axis] for run in runs}) > 1 for axis in range(len(AXES))]
    found: dict[str, float] = {}
    cells: dict[tuple[str, int | None], list[float]] = defaultdict(list)
    for run in runs:
        name = run.folder(varied)
        result = one(run.config, folder / name)
        found |= {f"{name}/{metric}": value for metric, value in result.metrics.items()}
        cells[run.dataset, run.shots].append(result.metrics[result.headline])
        found |= {f"mean/{label(shots)}{result.headline}": mean for shots, mean in mean_by_shots(cells).items()}
        if rank() == 0:  # after each run, as a suite may take days
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "metrics.json").write_text(json.dumps(found, indent=2) + "\n")
    if rank() == 0:
        console = Console()
        console.print(suite_table(cells, title=result.headline))
        console.print(f"everything is in {folder}", highlight=False, soft_wrap=True)
    return found


def label(shots: int | None) -> str:
    """Middle of a mean's name."""
    return "" if shots is None else f"shots_{shots}/"


def mean_by_shots(cells: Mapping[tuple[str, int | None], Sequence[float]]) -> dict[int | None, float]:
    """Mean over data sets, each the mean over its seeds."""
    columns: dict[int | None, list[float]] = defaultdict(list)
    for (_, shots), values in cells.items():
        columns[shots].append(statistics.mean(values))
    return {shots: statistics.mean(values) for shots, values in columns.items()}


def suite_table(cells: Mapping[tuple[str, int | None], Sequence[float]], *, title: str) -> Table:
    """Data sets by shots; where there are several seeds, mean and standard deviation."""
    means = mean_by_shots(cells)
    table = Table(title=title)
    table.add_column("data set")
    for shots in means:
        table.add_column("all" if shots is None else f"{shots} shots", justify="right")
    for dataset in dict.fromkeys(name for name, _ in cells):
        table.add_row(dataset, *(cell(cells[dataset, shots]) for shots in means))
    table.add_section()
    table.add_row("mean", *(f"{mean:.4f}" for mean in means.values()))
    return table


def cell(values: Sequence[float]) -> str:
    """`0.4230`, or `0.4230 ± 0.0120`."""
    mean = f"{statistics.mean(values):.4f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.4f}"
