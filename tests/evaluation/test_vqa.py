"""VQA's accuracy, against the official evaluator's figures and by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from fiber.data.records import Answer, Question
from fiber.evaluation.vqa import answer_accuracy, evaluate_answers, judge_answer, read_results
from fiber.utils.errors import UserError


def question(number: int, question_type: str, answer_type: str, annotated: list[str]) -> Question:
    return Question(
        "?",
        (),
        number,
        question_type=question_type,
        answer_type=answer_type,
        annotated_answers=tuple(annotated),
    )


@pytest.fixture(scope="module")
def real_questions(shared: Path) -> list[Question]:
    """2,959 questions of VQA v2."""
    file = shared / "data/metrics/vqa/v2_mscoco_train2014_subset_annotations.json"
    return [
        question(
            row["question_id"], row["question_type"], row["answer_type"], [one["answer"] for one in row["answers"]]
        )
        for row in json.loads(file.read_text())["annotations"]
    ]


@pytest.mark.parametrize("name", ["prior_yes", "one_annotator_noisy", "majority_answer"])
def test_the_official_evaluators_figures_are_reproduced(
    shared: Path, real_questions: list[Question], name: str
) -> None:
    folder = shared / "data/metrics/vqa"
    accuracy = evaluate_answers(real_questions, read_results(folder / f"results_{name}.json"))
    expected = json.loads((folder / "expected.json").read_text())["results"][name]
    assert 100 * accuracy.overall == pytest.approx(expected.pop("overall_unrounded"), abs=1e-9)
    assert accuracy.official() == expected


@pytest.mark.parametrize(
    ("annotated", "answer", "accuracy"),
    [
        (["red"] * 10, "red", 1.0),
        (["red"] * 10, "blue", 0.0),
        # One of ten: nine annotators find one match among the others, the tenth none.
        (["red", *["blue"] * 9], "red", 9 * (1 / 3) / 10),
        (["red"] * 2 + ["blue"] * 8, "red", (8 * (2 / 3) + 2 * (1 / 3)) / 10),
        (["red"] * 3 + ["blue"] * 7, "red", (7 + 3 * (2 / 3)) / 10),
        (["red"] * 4 + ["blue"] * 6, "red", 1.0),
        (["2", "two", *["3"] * 8], "Two.", (8 * (2 / 3) + 2 * (1 / 3)) / 10),
        (["two"] * 10, "2", 0.0),  # all agree to the letter: nothing is normalised
        (["two\n"] * 10, " two", 1.0),
    ],
)
def test_an_answer_is_right_as_far_as_others_gave_it(annotated: list[str], answer: str, accuracy: float) -> None:
    assert answer_accuracy(answer, annotated) == pytest.approx(accuracy)


def test_types_without_a_name_are_left_out() -> None:
    questions = [
        question(1, "what is", "other", ["cat"] * 10),
        question(2, "is it", "yes/no", ["yes"] * 10),
        question(3, "what is", "other", ["dog"] * 10),
        question(4, "", "", ["no"] * 10),
    ]
    accuracy = evaluate_answers(questions, {1: "cat", 2: "yes", 3: "cat", 4: "no", 5: "not asked"})
    assert accuracy.overall == 0.75
    assert accuracy.by_question_type == {"what is": 0.5, "is it": 1.0}
    assert accuracy.by_answer_type == {"other": 0.5, "yes/no": 1.0}


def test_without_annotators_the_soft_label_counts() -> None:
    asked = Question("?", (Answer("red", 0.6), Answer("Red", 1.0)), 3)
    assert [judge_answer(asked, answer).score for answer in ("red", "Red", "blue")] == [0.6, 1.0, 0.0]


def test_secret_answers_have_no_score_and_do_not_count() -> None:
    secret = Question("?", (), 3)
    assert judge_answer(secret, "red").score is None
    assert evaluate_answers([secret, question(4, "", "", ["red"] * 10)], {3: "red", 4: "red"}).overall == 1.0


def test_results_that_lack_questions_are_refused() -> None:
    questions = [question(number, "", "", ["yes"] * 10) for number in (7, 8, 9)]
    with pytest.raises(UserError, match="answer 2 of 3 questions: question 8 has none"):
        evaluate_answers(questions, {7: "yes", 9: "no"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"1": "yes"}, "of another format: expected VQA results"),
        ([{"question_id": 1}], "of another format"),
        ([{"question_id": 1, "answer": "a"}] * 2, "answers question 1 2 times"),
    ],
)
def test_files_that_are_no_results_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    (tmp_path / "results.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        read_results(tmp_path / "results.json")
