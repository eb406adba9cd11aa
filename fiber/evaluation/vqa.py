"""VQA's accuracy: an answer is right as far as annotators gave it (Antol et al. 2015, section 3.3)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fiber.data.answer_normalization import normalize_answer
from fiber.data.readers.files import read_json
from fiber.data.records import Question
from fiber.utils.errors import UserError

ENOUGH_ANNOTATORS = 3
"""Others who gave the same answer, for it to be wholly right."""
EXPECTED_RESULTS = 'VQA results: [{"question_id", "answer"}]'


class JudgedAnswer(NamedTuple):
    """The answer to one question."""

    question_id: int
    answer: str
    score: float | None
    """In [0, 1]; None where the right answers are kept secret."""
    question_type: str
    """As annotated, as the following."""
    answer_type: str


class VqaAccuracy(NamedTuple):
    """Mean accuracies in [0, 1]; types without a name are left out."""

    overall: float
    by_question_type: dict[str, float]
    by_answer_type: dict[str, float]

    def official(self) -> dict[str, float | dict[str, float]]:
        """Percentages by the names and to the places that the official evaluator writes."""
        return {
            "overall": percentage(self.overall),
            "perQuestionType": {name: percentage(value) for name, value in self.by_question_type.items()},
            "perAnswerType": {name: percentage(value) for name, value in self.by_answer_type.items()},
        }


def answer_accuracy(answer: str, annotated: Sequence[str]) -> float:
    """Accuracy of one answer in [0, 1].

    Mean over annotators of min(1, matches among the others / 3). Where all annotators agree to the letter, so must the
    answer: nothing is normalised then.

    Args:
        answer: the one to be judged.
        annotated: those of all annotators, at least one.
    """
    answer, others = plain(answer), [plain(one) for one in annotated]
    if len(set(others)) > 1:
        answer, others = normalize_answer(answer), [normalize_answer(one) for one in others]
    matches = others.count(answer)
    return sum(min(1.0, (matches - (one == answer)) / ENOUGH_ANNOTATORS) for one in others) / len(others)


def plain(answer: str) -> str:
    """Without line breaks, tabs and surrounding blanks."""
    return answer.replace("\n", " ").replace("\t", " ").strip()


def judge_answer(question: Question, answer: str) -> JudgedAnswer:
    """Score by the answers of all annotators, or by the soft label of this one where they are not known one by one."""
    score = None
    if question.annotated_answers:
        score = answer_accuracy(answer, question.annotated_answers)
    elif question.answers:
        score = dict(question.answers).get(answer, 0.0)
    return JudgedAnswer(question.question_id, answer, score, question.question_type, question.answer_type)


def evaluate_answers(questions: Iterable[Question], results: Mapping[int, str]) -> VqaAccuracy:
    """Accuracy over the questions of a split.

    Args:
        questions: all of them, with their answers.
        results: answers by question id; those to other questions are not looked at.

    Raises:
        UserError: questions without a result.
    """
    questions = list(questions)
    missing = [question.question_id for question in questions if question.question_id not in results]
    if missing:
        raise UserError(
            f"The results answer {len(questions) - len(missing)} of {len(questions)} questions: question {missing[0]} "
            "has none. Give the results of this very split, all of them."
        )
    return summarize_accuracy(judge_answer(question, results[question.question_id]) for question in questions)


def summarize_accuracy(judged: Iterable[JudgedAnswer]) -> VqaAccuracy:
    """Means over all answers with a score, at least one, and over those of every type."""
    scored = [(one.score, one.question_type, one.answer_type) for one in judged if one.score is not None]
    scores, question_types, answer_types = zip(*scored, strict=True)
    return VqaAccuracy(
        sum(scores) / len(scores), mean_by_name(question_types, scores), mean_by_name(answer_types, scores)
    )


def mean_by_name(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    """Mean of the values under each name, in order of first occurrence; those without a name are left out."""
    grouped: dict[str, list[float]] = defaultdict(list)
    for name, value in zip(names, values, strict=True):
        grouped[name].append(value)
    return {name: sum(group) / len(group) for name, group in grouped.items() if name}


def percentage(share: float) -> float:
    """A share in per cent, to two places."""
    return round(100 * share, 2)


def read_results(file: Path) -> dict[int, str]:
    """Answers by question id from a file in the official format.

    Raises:
        UserError: no such file, one of another format, or a question that is answered twice.
    """
    content = read_json(file, expected=EXPECTED_RESULTS)
    if not isinstance(content, list) or not all(is_result(row) for row in content):
        raise UserError(f"{file} is of another format: expected {EXPECTED_RESULTS}.")
    counts = Counter(row["question_id"] for row in content)
    repeated = next((number for number, count in counts.items() if count > 1), None)
    if repeated is not None:
        raise UserError(f"{file} answers question {repeated} {counts[repeated]} times: give every question one answer.")
    return {row["question_id"]: row["answer"] for row in content}


def is_result(row: object) -> bool:
    """Whether this looks like one answer."""
    return isinstance(row, dict) and isinstance(row.get("answer"), str) and isinstance(row.get("question_id"), int)
