"""The answers that a question-answering model chooses from."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from fiber.data.answer_normalization import normalize_answer
from fiber.data.readers.files import read_json
from fiber.data.records import Answer
from fiber.utils.errors import UserError

EXPECTED = 'a vocabulary of answers: ["yes", "no", ...], or {"yes": 0, "no": 1, ...} with every number once'
MIN_COUNT = 9
"""Questions that an answer must be the common answer of (3,129 answers on VQA v2's train and val splits)."""


class AnswerVocabulary:
    """Answers by label.

    Args:
        answers: different ones; the place of each is its label.
    """

    def __init__(self, answers: Sequence[str]) -> None:
        self.answers = tuple(answers)
        self.labels = {answer: label for label, answer in enumerate(self.answers)}
        assert len(self.labels) == len(self.answers)

    def __len__(self) -> int:
        return len(self.answers)

    def soft_labels(self, answers: Iterable[Answer]) -> list[tuple[int, float]]:
        """Label and soft label of those answers that are in the vocabulary."""
        return [(self.labels[text], score) for text, score in answers if text in self.labels]

    def to_json(self) -> str:
        """A list that `from_file` reads."""
        return json.dumps(self.answers, ensure_ascii=False, indent=0) + "\n"

    @classmethod
    def from_common_answers(cls, answers: Iterable[str], *, min_count: int = MIN_COUNT) -> Self:
        """Count the common answers of all questions in their one spelling, and keep the frequent ones (the original's
        rule).

        Args:
            answers: one per question; labels follow the order of their first occurrence.
            min_count: questions that an answer must belong to.

        Raises:
            UserError: no answer is as frequent.
        """
        counts = Counter(normalize_answer(answer) for answer in answers)
        kept = [answer for answer, count in counts.items() if count >= min_count]
        if not kept:
            raise UserError(
                f"data.min_answer_count={min_count}: none of {len(counts)} different answers is the common answer of "
                "as many questions. Lower it, or give data.answers=FILE."
            )
        return cls(kept)

    @classmethod
    def from_file(cls, file: Path) -> Self:
        """Read a list of answers, or labels by answer as LXMERT has them.

        Raises:
            UserError: no such file, or one of another format.
        """
        content = read_json(file, expected=EXPECTED)
        answers = sorted(content, key=content.__getitem__) if is_numbered(content) else content
        if not is_vocabulary(answers):
            raise UserError(f"{file} is of another format: expected {EXPECTED}.")
        return cls(answers)


def is_numbered(content: Any) -> bool:
    """Whether every label from 0 on stands for one answer."""
    if not isinstance(content, dict) or not all(isinstance(label, int) for label in content.values()):
        return False
    return sorted(content.values()) == list(range(len(content)))


def is_vocabulary(content: Any) -> bool:
    """Whether this is a list of different answers."""
    if not isinstance(content, list) or not all(isinstance(answer, str) for answer in content):
        return False
    return 0 < len(content) == len(set(content))
