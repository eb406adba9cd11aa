"""Judging answers, without a trained model."""

import json
from collections.abc import Sequence

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.question_batch import QuestionBatch
from fiber.data.readers.task_readers import QuestionReader
from fiber.data.records import Answer, Question
from fiber.tasks.coarse.vqa.evaluator import VqaEvaluator

VOCABULARY = AnswerVocabulary(["yes", "no", "red", "2"])


class Asked(QuestionReader):
    """Given questions, without pictures."""

    name = "asked"

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = questions

    def __len__(self) -> int:
        return len(self.questions)

    def question(self, index: int) -> Question:
        return self.questions[index]

    def image_id(self, index: int) -> str:
        raise NotImplementedError

    def location(self, index: int) -> str:
        raise NotImplementedError

    def load_image(self, index: int) -> Image.Image:
        raise NotImplementedError


class Answering(nn.Module):
    """Answers with the label that the first pixel of the image is."""

    def forward(self, pixels: Tensor, token_ids: Tensor, mask: Tensor) -> Tensor:
        label = (pixels[:, 0, 0, 0] * 0.229 + 0.485) * 255  # red, back from the normalisation
        return nn.functional.one_hot(label.round().long(), len(VOCABULARY)).float()


def batch(samples: Sequence[int], labels: Sequence[int]) -> QuestionBatch:
    return QuestionBatch(
        image=torch.tensor(labels, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 4, 4),
        text_ids=torch.zeros(len(samples), 2, dtype=torch.long),
        text_mask=torch.ones(len(samples), 2, dtype=torch.bool),
        targets=torch.zeros(len(samples), len(VOCABULARY)),
        sample=torch.tensor(samples),
        broken=(),
    )


def annotated(number: int, question_type: str, answer_type: str, answers: Sequence[str]) -> Question:
    return Question(
        "?",
        (Answer("none of these", 1.0),),  # of no account beside the annotators' answers
        number,
        question_type=question_type,
        answer_type=answer_type,
        annotated_answers=tuple(answers),
    )


def test_a_split_is_judged_by_the_official_accuracy() -> None:
    questions = [
        annotated(70, "is it", "yes/no", ["no"] * 10),
        annotated(50, "how many", "number", ["two"] * 6 + ["3"] * 4),
        annotated(60, "is it", "yes/no", ["no"] * 8 + ["yes"] * 2),
    ]
    evaluator = VqaEvaluator(Asked(questions), vocabulary=VOCABULARY)
    evaluator.add(Answering(), batch([2, 0], [0, 1]), number=0)
    evaluator.add(Answering(), batch([1], [3]), number=0)
    metrics, files = evaluator.finish()
    two_of_ten = (8 * 2 / 3 + 2 * 1 / 3) / 10
    assert metrics == pytest.approx(
        {
            "vqa/accuracy": (1 + 1 + two_of_ten) / 3,
            "vqa/accuracy_yes_no": (1 + two_of_ten) / 2,
            "vqa/accuracy_number": 1.0,
        }
    )
    assert json.loads(files["vqa_submit.json"]) == [
        {"question_id": 70, "answer": "no"},
        {"question_id": 50, "answer": "2"},
        {"question_id": 60, "answer": "yes"},
    ]
    assert json.loads(files["vqa_accuracy.json"]) == {
        "overall": 86.67,
        "perQuestionType": {"is it": 80.0, "how many": 100.0},
        "perAnswerType": {"yes/no": 80.0, "number": 100.0},
    }


def test_soft_labels_count_where_annotators_are_not_known() -> None:
    answers = (Answer("yes", 0.6), Answer("no", 1.0))
    evaluator = VqaEvaluator(Asked([Question("?", answers, number) for number in range(3)]), vocabulary=VOCABULARY)
    evaluator.add(Answering(), batch([0, 1, 2], [0, 1, 2]), number=0)
    assert evaluator.finish().metrics == {"vqa/accuracy": pytest.approx(1.6 / 3)}


def test_secret_answers_give_a_result_file_and_no_accuracy() -> None:
    evaluator = VqaEvaluator(Asked([Question("?", (), 8), Question("?", (), 9)]), vocabulary=VOCABULARY)
    evaluator.add(Answering(), batch([0, 1], [2, 1]), number=0)
    metrics, files = evaluator.finish()
    assert metrics == {"vqa/questions": 2.0}
    assert set(files) == {"vqa_submit.json"}
    assert [row["answer"] for row in json.loads(files["vqa_submit.json"])] == ["red", "no"]


def test_the_picture_tells_right_from_wrong() -> None:
    questions = [
        Question("is it ?", (Answer("yes", 1.0),), 1, common_answer="yes"),
        Question("is it ?", (Answer("yes", 1.0),), 2, common_answer="yes"),
        Question("is it ?", (), 3),
    ]
    evaluator = VqaEvaluator(Asked(questions), vocabulary=VOCABULARY)
    evaluator.add(Answering(), batch([0, 1, 2], [0, 1, 1]), number=0)
    lines = [[(line.text, line.verdict) for line in row.lines] for row in evaluator.sheet()]
    assert lines == [
        [("is it ?", None), ("answered: yes", True)],
        [("is it ?", None), ("answered: no", False), ("annotated: yes", None)],
        [("is it ?", None), ("answered: no", None)],
    ]
    assert evaluator.sheet()[0].images[0].shape == (3, 4, 4)
