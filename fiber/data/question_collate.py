"""Questions to batches. Axes: B questions, A answers, K answers of all questions together."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fiber.data.question_batch import QuestionBatch, QuestionSample
from fiber.data.tokenization import TextTokenizer


class QuestionCollator:
    """Collates questions.

    Args:
        tokenizer: of the questions.
        max_text_length: tokens per question, special ones included.
        num_answers: size of the vocabulary.
    """

    def __init__(self, tokenizer: TextTokenizer, *, max_text_length: int, num_answers: int) -> None:
        self.tokenizer = tokenizer
        self.max_text_length = max_text_length
        self.num_answers = num_answers

    def __call__(self, samples: Sequence[QuestionSample]) -> QuestionBatch:
        text = self.tokenizer.encode([sample.question for sample in samples], self.max_text_length)
        return QuestionBatch(
            image=torch.stack([sample.image for sample in samples]),
            text_ids=text.ids,
            text_mask=text.mask,
            targets=soft_targets(
                [sample.labels for sample in samples], [sample.scores for sample in samples], self.num_answers
            ),
            sample=torch.tensor([sample.key.sample for sample in samples]),
            broken=tuple(location for sample in samples for location in sample.broken),
        )


def soft_targets(labels: Sequence[Sequence[int]], scores: Sequence[Sequence[float]], num_answers: int) -> Tensor:
    """Soft labels of every answer, 0 where none is given: float32 B A.

    Args:
        labels: of each question.
        scores: as many as labels.
        num_answers: A.
    """
    rows = torch.arange(len(labels)).repeat_interleave(torch.tensor([len(row) for row in labels]))  # K
    columns = torch.tensor([label for row in labels for label in row], dtype=torch.long)  # K
    targets = torch.zeros(len(labels), num_answers)
    targets[rows, columns] = torch.tensor([score for row in scores for score in row], dtype=torch.float32)
    return targets
