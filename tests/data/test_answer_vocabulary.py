"""Vocabularies of answers: built, read and saved."""

import json
from pathlib import Path
from typing import Any

import pytest

from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.records import Answer
from fiber.utils.errors import UserError


def test_frequent_answers_are_kept_in_order_of_first_occurrence() -> None:
    answers = ["rare", "Two", "a dog", "dog", "2", "dog", "cat", "two", "rare"]
    assert AnswerVocabulary.from_common_answers(answers, min_count=3).answers == ("2", "dog")
    assert AnswerVocabulary.from_common_answers(answers, min_count=2).answers == ("rare", "2", "dog")


def test_nine_questions_make_an_answer() -> None:
    answers = ["yes"] * 9 + ["no"] * 8
    assert AnswerVocabulary.from_common_answers(answers).answers == ("yes",)
    with pytest.raises(UserError, match=r"data\.min_answer_count=9: none of 1 different answers"):
        AnswerVocabulary.from_common_answers(["no"] * 8)


def test_only_answers_of_the_vocabulary_have_a_label() -> None:
    vocabulary = AnswerVocabulary(["yes", "no", "red"])
    answers = [Answer("no", 1.0), Answer("Red", 0.9), Answer("red", 0.3), Answer("nope", 0.6)]
    assert vocabulary.soft_labels(answers) == [(1, 1.0), (2, 0.3)]


def test_a_saved_vocabulary_is_read_again(tmp_path: Path) -> None:
    vocabulary = AnswerVocabulary(["", "café", 'the "x"'])
    (tmp_path / "answers.json").write_text(vocabulary.to_json(), encoding="utf-8")
    assert AnswerVocabulary.from_file(tmp_path / "answers.json").answers == vocabulary.answers


def test_both_of_lxmerts_files_are_read(shared: Path) -> None:
    folder = shared / "data/mini/vqav2"
    numbered = AnswerVocabulary.from_file(folder / "trainval_ans2label.json")
    listed = AnswerVocabulary.from_file(folder / "trainval_label2ans.json")
    assert len(numbered) == 3129
    assert numbered.answers == listed.answers
    labels = json.loads((folder / "trainval_ans2label.json").read_text())
    assert numbered.labels == labels


@pytest.mark.parametrize(
    "content",
    [{"yes": 0, "no": 2}, {"yes": 0, "no": 0}, {"yes": "0"}, {"yes": [0]}, ["yes", "yes"], ["yes", 1], [], "yes", {}],
)
def test_files_of_another_format_are_refused(tmp_path: Path, content: Any) -> None:
    (tmp_path / "answers.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"answers\.json is of another format: expected a vocabulary of answers"):
        AnswerVocabulary.from_file(tmp_path / "answers.json")
