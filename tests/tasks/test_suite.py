"""Lists of data sets, shots and seeds become runs of their own, and a table of all."""

import io
import json
import re
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from fiber.data.readers.odinw import DATASETS
from fiber.tasks.suite import Cell, RunResult, expand, run_suite, suite_table
from fiber.utils.errors import UserError

from .composing import composed


def config(**data: object) -> DictConfig:
    return OmegaConf.create({"run_dir": "run", "data": {"dataset": "a", "shots": None, "shot_seed": None, **data}})


def test_plain_values_are_one_run() -> None:
    [run], varied = expand(config(shots=3))
    assert (run.config, list(varied)) == (config(shots=3), [])


def test_lists_are_combined_and_what_refers_to_them_follows() -> None:
    runs, varied = expand(config(dataset=["a", "b"], shots=[1, 5], name="${data.dataset}-${data.shots}"))
    assert list(varied) == ["dataset", "shots"]
    assert [run.config.data.name for run in runs] == ["a-1", "a-5", "b-1", "b-5"]


def test_all_are_the_thirteen() -> None:
    runs, _ = expand(config(dataset="all"))
    assert [run.axes.dataset for run in runs] == list(DATASETS)
    assert len(runs) == 13


def test_data_without_these_keys_are_one_run() -> None:
    for data in ({"train": []}, None):
        [run], varied = expand(OmegaConf.create({"data": data}))
        assert (run.config.data, list(varied)) == (data, [])


def test_an_empty_list_is_an_error() -> None:
    with pytest.raises(UserError, match=r"data.shots=\[\]: give at least one value"):
        expand(config(shots=[]))


@pytest.mark.parametrize(
    ("axis", "values"), [("shots", [1, 3, 1]), ("shot_seed", [None, None]), ("dataset", ["a", "a"])]
)
def test_a_repeated_value_is_an_error(axis: str, values: list[object]) -> None:
    with pytest.raises(UserError, match=rf"data.{axis} lists {values[0]} more than once: give each value once"):
        expand(config(**{axis: values}))


def found_ap(own: DictConfig, folder: Path) -> RunResult:
    """A run that finds the more the more it is shown."""
    return RunResult({"best/detection/AP": (own.data.shots or 0) / 10}, "best/detection/AP")


def test_a_list_of_one_value_is_a_suite_of_one_run(tmp_path: Path) -> None:
    metrics = run_suite(expand(config(dataset=["a", "b"], shots=[3])), tmp_path, one=found_ap)
    assert metrics["b/shots_3/best/detection/AP"] == metrics["mean/shots_3/best/detection/AP"] == 0.3
    assert run_suite(expand(config(shots=[3])), tmp_path, one=found_ap).keys() == {
        "shots_3/best/detection/AP",
        "mean/shots_3/best/detection/AP",
    }


def lines(cells: dict[Cell, list[float]]) -> list[list[str]]:
    """Words of the table's lines that hold any."""
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(suite_table(cells, title="AP"))
    rows = [re.split(r"\s*[│┃]\s*", line.strip("│┃ ")) for line in console.export_text().splitlines()]
    return [row for row in rows if re.search(r"\w", "".join(row))][1:]


def test_the_table_has_a_row_for_every_data_set_and_one_of_means() -> None:
    cells = {Cell("a", 1): [0.1, 0.3], Cell("a", None): [0.5], Cell("b", 1): [0.4], Cell("b", None): [0.7]}
    assert lines(cells) == [
        ["data set", "1 shot", "all"],
        ["a", "0.2000 ± 0.1414", "0.5000"],
        ["b", "0.4000", "0.7000"],
        ["mean", "0.3000", "0.6000"],
    ]


def test_the_table_of_data_without_a_name_is_one_row() -> None:
    assert lines({Cell(None, 1): [0.1], Cell(None, 3): [0.2]}) == [["1 shot", "3 shots"], ["0.1000", "0.2000"]]


def test_a_demo_takes_lists_of_shots(tmp_path: Path) -> None:
    runs, _ = expand(composed(["stage=fine", "task=odinw", "data.shots=[1,3]"], tmp_path))
    assert [run.config.data.shots for run in runs] == [1, 3]


def test_means_are_over_data_sets_of_means_over_seeds(tmp_path: Path) -> None:
    scores = {("a", 1, 0): 0.1, ("a", 1, 1): 0.3, ("b", 1, 0): 0.6, ("b", 1, 1): 0.8}
    scores |= {(name, 5, seed): value + 0.1 for (name, _, seed), value in scores.items()}
    folders: list[str] = []

    def one(own: DictConfig, folder: Path) -> RunResult:
        folders.append(str(folder.relative_to(tmp_path)))
        key = (own.data.dataset, own.data.shots, own.data.shot_seed)
        return RunResult({"best/detection/AP": scores[key], "train/seconds": 1.0}, "best/detection/AP")

    metrics = run_suite(expand(config(dataset=["a", "b"], shots=[1, 5], shot_seed=[0, 1])), tmp_path, one=one)
    assert folders[:3] == ["a/shots_1/shot_seed_0", "a/shots_1/shot_seed_1", "a/shots_5/shot_seed_0"]
    assert metrics["mean/shots_1/best/detection/AP"] == pytest.approx((0.2 + 0.7) / 2)
    assert metrics["mean/shots_5/best/detection/AP"] == pytest.approx((0.3 + 0.8) / 2)
    assert metrics["b/shots_5/shot_seed_1/best/detection/AP"] == pytest.approx(0.9)
    assert metrics["a/shots_1/shot_seed_0/train/seconds"] == 1.0
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics


def test_the_mean_of_forty_fifty_and_sixty_six_is_fifty_two(tmp_path: Path) -> None:
    aps = {"a": 0.40, "b": 0.50, "c": 0.66}

    def one(own: DictConfig, folder: Path) -> RunResult:
        return RunResult({"val/detection/AP": aps[own.data.dataset]}, "val/detection/AP")

    metrics = run_suite(expand(config(dataset=["a", "b", "c"])), tmp_path, one=one)
    assert metrics["mean/val/detection/AP"] == pytest.approx(0.52)
