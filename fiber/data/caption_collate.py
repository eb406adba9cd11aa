"""Captioned images to batches."""

from collections.abc import Sequence

import torch

from fiber.data.caption_batch import CaptionBatch, CaptionSample
from fiber.data.tokenization import TextTokenizer


class CaptionCollator:
    """Collates captioned images.

    Args:
        tokenizer: of the captions.
        max_text_length: tokens per caption, special ones included.
    """

    def __init__(self, tokenizer: TextTokenizer, *, max_text_length: int) -> None:
        self.tokenizer = tokenizer
        self.max_text_length = max_text_length

    def __call__(self, samples: Sequence[CaptionSample]) -> CaptionBatch:
        text = self.tokenizer.encode([sample.caption for sample in samples], self.max_text_length)
        return CaptionBatch(
            image=torch.stack([sample.image for sample in samples]),
            text_ids=text.ids,
            text_mask=text.mask,
            sample=torch.tensor([sample.key.sample for sample in samples]),
            draw=torch.tensor([sample.key.draw for sample in samples]),
            references=tuple(sample.references for sample in samples),
            broken=tuple(location for sample in samples for location in sample.broken),
        )
