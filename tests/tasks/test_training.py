"""What a run keeps of its validations: the best model, and what it could do before it learned."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from fiber.tasks.fine.boxes.detection_evaluator import DetectionEvaluator
from fiber.tasks.training import FIRST_METRICS, train
from fiber.utils.errors import UserError

from .composing import composed

SMALL = (
    "stage=fine",
    "task=coco",
    "optimization.batch_size=4",
    "trainer.batch_size=4",
    "trainer.val_every=2",
    "data.train.0.num_samples=16",
    "data.val.num_samples=3",
    "logger=csv",
)
Find = Callable[[Sequence[float]], None]


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch) -> Find:
    """Let the validations to come find given values, one after the other."""

    def prescribe(values: Sequence[float]) -> None:
        left = iter(values)
        monkeypatch.setattr(
            DetectionEvaluator, "summarize", lambda self, results: {"detection/AP": next(left), "detection/AP50": 0.9}
        )
        monkeypatch.setattr(DetectionEvaluator, "result_files", lambda self, results: {})

    return prescribe


def checkpoint(run: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run / "checkpoints" / name, weights_only=True)
    return content


def assert_same_weights(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one["state_dict"].keys() == other["state_dict"].keys()
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in one["state_dict"].items())


@pytest.mark.parametrize("averaging", ["0.9", "null"])
@pytest.mark.parametrize(("last", "step"), [(0.5, 3), (0.2, 2), (0.3, 2)], ids=["better", "worse", "tie"])
def test_the_last_model_is_kept_if_it_is_the_best_also_between_two_validations(
    find: Find, tmp_path: Path, last: float, step: int, averaging: str
) -> None:
    find([0.9, 0.3, last])  # before training, after two steps and in the end
    ema = f"optimization.ema_decay={averaging}"
    metrics = train(composed([*SMALL, "optimization.max_steps=3", ema], tmp_path))
    assert metrics["zero_shot/detection/AP"] == 0.9
    assert metrics["val/detection/AP"] == last
    assert metrics["best/detection/AP"] == pytest.approx(max(0.3, last))
    assert checkpoint(tmp_path, "best.ckpt")["global_step"] == step
    if step == 3:
        assert_same_weights(checkpoint(tmp_path, "best.ckpt"), checkpoint(tmp_path, "last.ckpt"))


def test_a_run_shorter_than_an_interval_keeps_its_model(find: Find, tmp_path: Path) -> None:
    find([0.9, 0.0])
    metrics = train(composed([*SMALL, "optimization.max_steps=1"], tmp_path))
    assert metrics["best/detection/AP"] == 0.0
    assert checkpoint(tmp_path, "best.ckpt")["global_step"] == 1


def resumed(folder: Path, steps: int) -> dict[str, float]:
    return train(composed([*SMALL, f"optimization.max_steps={steps}", "ckpt_path=auto"], folder))


def test_a_resumed_run_still_knows_what_it_could_do_before_it_learned(find: Find, tmp_path: Path) -> None:
    find([0.1, 0.4])
    assert resumed(tmp_path, 2)["zero_shot/detection/AP"] == 0.1
    find([0.2])  # a second look before training would take it
    metrics = resumed(tmp_path, 4)
    assert (metrics["zero_shot/detection/AP"], metrics["zero_shot/detection/AP50"]) == (0.1, 0.9)
    assert (metrics["val/detection/AP"], metrics["best/detection/AP"]) == (0.2, pytest.approx(0.4))
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    assert checkpoint(tmp_path, "best.ckpt")["global_step"] == 2


def test_a_resumed_run_compares_its_last_model_with_the_best_of_before(find: Find, tmp_path: Path) -> None:
    find([0.1, 0.4])
    resumed(tmp_path, 2)
    find([0.3])
    metrics = resumed(tmp_path, 3)
    assert metrics["best/detection/AP"] == pytest.approx(0.4)
    assert checkpoint(tmp_path, "best.ckpt")["global_step"] == 2


def test_a_run_resumed_without_its_first_metrics_goes_on(find: Find, tmp_path: Path) -> None:
    find([0.1, 0.4])
    resumed(tmp_path, 2)
    (tmp_path / FIRST_METRICS).unlink()
    find([0.2])
    assert not any(name.startswith("zero_shot/") for name in resumed(tmp_path, 4))


FINAL = (*SMALL[:1], "task=odinw", *SMALL[2:], "data.splits.test.num_samples=3", "optimization.max_steps=2")


def test_the_best_model_is_judged_in_the_end_beside_what_training_found(find: Find, tmp_path: Path) -> None:
    find([0.1, 0.4, 0.7])
    metrics = train(composed(FINAL, tmp_path))
    assert (metrics["best/detection/AP"], metrics["test/detection/AP"]) == (pytest.approx(0.4), 0.7)
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics


def test_what_training_found_is_kept_if_judging_fails(
    find: Find, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(run: Path, split: str, trainer: object) -> None:
        raise UserError("a picture is broken")

    find([0.1, 0.4])
    monkeypatch.setattr("fiber.tasks.training.judge_run", fail)
    with pytest.raises(UserError, match="a picture is broken"):
        train(composed(FINAL, tmp_path))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["best/detection/AP"] == pytest.approx(0.4)
    assert metrics["train/seconds"] > 0


def test_a_suite_with_too_few_samples_for_a_step_ends_before_its_first_run(tmp_path: Path) -> None:
    overrides = [*FINAL, "data.train.0.num_samples=64", "data.copies=1", "data.shot_seed=null", "data.shots=[3,1]"]
    message = r"data.shots=1: .* gives 1 of the 4 training samples that one step takes: lower optimization.batch_size"
    with pytest.raises(UserError, match=message):
        train(composed(overrides, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_suite_without_the_split_of_its_end_ends_before_its_first_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent"):
        train(composed([*FINAL, "data.shots=[1,3]", "data.splits.test.style=absent"], tmp_path / "run"))
    assert not (tmp_path / "run").exists()
