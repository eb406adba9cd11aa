"""Statements to batches."""

from collections.abc import Sequence

import torch

from fiber.data.statement_batch import StatementBatch, StatementSample
from fiber.data.tokenization import TextTokenizer


class StatementCollator:
    """Collates statements and their images.

    Args:
        tokenizer: of the statements.
        max_text_length: tokens per text, special ones included.
    """

    def __init__(self, tokenizer: TextTokenizer, *, max_text_length: int) -> None:
        self.tokenizer = tokenizer
        self.max_text_length = max_text_length

    def __call__(self, samples: Sequence[StatementSample]) -> StatementBatch:
        statements = tuple(sample.statement for sample in samples)
        text = self.tokenizer.encode([statement.text for statement in statements], self.max_text_length)
        return StatementBatch(
            image=torch.stack([sample.image for sample in samples]),
            text_ids=text.ids,
            text_mask=text.mask,
            is_true=torch.tensor([statement.is_true for statement in statements]),
            sample=torch.tensor([sample.key.sample for sample in samples]),
            statements=statements,
            broken=tuple(location for sample in samples for location in sample.broken),
        )
