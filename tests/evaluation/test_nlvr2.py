"""NLVR2's scores: the official evaluator's figures, and examples by hand."""

import json
from pathlib import Path

import pytest

from fiber.evaluation.nlvr2 import accuracy, consistency, predictions_file, read_predictions
from fiber.utils.errors import UserError

TRUTHS = {"dev-1-0-0": True, "dev-1-1-0": False, "dev-1-0-1": True, "dev-2-0-0": False}
"""Three sentences: one of set 1 on two pairs, another of set 1, and one of set 2."""


@pytest.mark.parametrize("name", ["all_true", "seeded_75pct"])
def test_the_official_evaluators_figures(shared: Path, name: str) -> None:
    folder = shared / "data/metrics/nlvr2"
    lines = [json.loads(line) for line in (folder / "dev_labels.json").read_text().splitlines()]
    truths = {line["identifier"]: line["label"] == "True" for line in lines}
    predictions = read_predictions(folder / f"predictions_{name}.csv")
    expected = json.loads((folder / "expected.json").read_text())
    assert len(truths) == expected["examples"]
    assert accuracy(truths, predictions) == pytest.approx(expected["computed"][name]["accuracy"], abs=1e-15)
    assert consistency(truths, predictions) == pytest.approx(expected["computed"][name]["consistency"], abs=1e-15)


@pytest.mark.parametrize(
    ("wrong", "scores"),
    [
        ([], (1.0, 1.0)),
        (["dev-1-1-0"], (3 / 4, 2 / 3)),
        (["dev-1-0-0", "dev-1-1-0"], (2 / 4, 2 / 3)),  # both pairs of one sentence
        (["dev-1-0-0", "dev-1-0-1"], (2 / 4, 1 / 3)),  # two sentences on one pair
        (list(TRUTHS), (0.0, 0.0)),
    ],
)
def test_a_sentence_is_right_where_all_its_pairs_are(wrong: list[str], scores: tuple[float, float]) -> None:
    predictions = {identifier: truth != (identifier in wrong) for identifier, truth in TRUTHS.items()}
    assert (accuracy(TRUTHS, predictions), consistency(TRUTHS, predictions)) == pytest.approx(scores)


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({"dev-1-0-0": True}, r"lack 3 of 4 examples \(dev-1-0-1, dev-1-1-0, dev-2-0-0\)"),
        (TRUTHS | {"test1-0-0-0": True}, r"are about unknown 1 of 4 examples \(test1-0-0-0\)"),
    ],
)
def test_predictions_of_other_examples_are_refused(predictions: dict[str, bool], message: str) -> None:
    for score in (accuracy, consistency):
        with pytest.raises(UserError, match=message):
            score(TRUTHS, predictions)


def test_nothing_to_judge_is_an_error() -> None:
    with pytest.raises(UserError, match="no example"):
        accuracy({}, {})


def test_a_file_of_predictions_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(predictions_file(TRUTHS))
    assert path.read_text().splitlines()[1] == "dev-1-1-0,False"
    assert read_predictions(path) == TRUTHS


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dev-1-1-0,true", r"predictions\.csv:2 is 'dev-1-1-0,true'"),
        ("dev-1-1-0", r"predictions\.csv:2 is 'dev-1-1-0'"),
        ("dev-1-0-0,False", r"predictions\.csv:2 is 'dev-1-0-0,False': expected .* one per example"),
    ],
)
def test_a_wrong_line_of_predictions_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(f"dev-1-0-0,True\n{line}\n")
    with pytest.raises(UserError, match=message):
        read_predictions(path)
    with pytest.raises(UserError, match="does not exist"):
        read_predictions(tmp_path / "absent.csv")
