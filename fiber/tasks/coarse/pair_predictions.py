"""A few validation pairs with what the model makes of them.

Axes: L text tokens, T texts, P embedding width.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fiber.data.batch import PairBatch
from fiber.data.tokenization import TextTokenizer
from fiber.evaluation.pretraining import PairEvaluation
from fiber.objectives.masked_language_modeling import IGNORED
from fiber.tasks.coarse.pair_pictures import NUM_RETRIEVED, FilledWord, PairPrediction, RetrievedCaption

NUM_PREDICTIONS = 8


class ValidationBatch(NamedTuple):
    """What is kept of a validation batch; pixels are not."""

    captions: tuple[str, ...]
    image_index: Tensor
    """int64 B."""
    evaluation: PairEvaluation


def predict_pairs(
    first: PairBatch, validation: Sequence[ValidationBatch], tokenizer: TextTokenizer
) -> list[PairPrediction]:
    """Predictions for the first pairs of this process, retrieved among the captions it has seen.

    Args:
        first: the first batch, pixels included.
        validation: all batches, the first included.
        tokenizer: turns tokens into words.
    """
    captions = [caption for one in validation for caption in one.captions]
    image_index = torch.cat([one.image_index for one in validation])
    text = torch.cat([one.evaluation.embeddings.text for one in validation])
    evaluation = validation[0].evaluation
    scores = evaluation.embeddings.image[:NUM_PREDICTIONS] @ text.T  # NUM_PREDICTIONS T
    best = scores.topk(min(NUM_RETRIEVED, len(captions)), dim=1).indices
    return [
        PairPrediction(
            image=first.image[row].cpu(),
            filled=filled_words(first.text_ids[row], first.masked_labels[row], evaluation.filled_ids[row], tokenizer),
            retrieved=tuple(
                RetrievedCaption(captions[index], bool(image_index[index] == image_index[row]))
                for index in best[row].tolist()
            ),
        )
        for row in range(len(best))
    ]


def filled_words(ids: Tensor, labels: Tensor, filled: Tensor, tokenizer: TextTokenizer) -> tuple[FilledWord, ...]:
    """Tokens of one text, each int64 L; special tokens are left out."""
    special = (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id)
    return tuple(
        FilledWord(tokenizer.token(choice), masked=label != IGNORED, right=choice == token)
        for token, label, choice in zip(ids.tolist(), labels.tolist(), filled.tolist(), strict=True)
        if token not in special
    )
