"""Lists of data sets, shots and seeds become runs of their own, and a table of all."""

import json
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from fiber.data.readers.odinw import DATASETS
from fiber.tasks.suite import RunResult, expand, run_suite
from fiber.utils.errors import UserError

from .composing import composed


def config(**data: object) -> DictConfig:
    return OmegaConf.create({"run_dir": "run", "data": {"dataset": "a", "shots": None, "shot_seed": None, **data}})


def test_plain_values_are_one_run() -> None:
    [run] = expand(config(shots=3))
    assert run.config == config(shots=3)


def test_lists_are_combined_and_what_refers_to_them_follows() -> None:
    runs = expand(config(dataset=["a", "b"], shots=[1, 5], name="${data.dataset}-${data.shots}"))
    assert [run.config.data.name for run in runs] == ["a-1", "a-5", "b-1", "b-5"]


def test_all_are_the_thirteen() -> None:
    runs = expand(config(dataset="all"))
    assert [run.dataset for run in runs] == list(DATASETS)
    assert len(runs) == 13


def test_data_without_these_keys_are_one_run() -> None:
    assert len(expand(OmegaConf.create({"data": {"train": []}}))) == 1
    assert len(expand(OmegaConf.create({"data": None}))) == 1


def test_an_empty_list_is_an_error() -> None:
    with pytest.raises(UserError, match=r"data.shots=\[\]: give at least one value"):
        expand(config(shots=[]))


def test_a_demo_takes_lists_of_shots(tmp_path: Path) -> None:
    runs = expand(composed(["stage=fine", "task=odinw", "data.shots=[1,3]"], tmp_path))
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
