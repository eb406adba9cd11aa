"""Pairs and images to batches of retrieval."""

from collections.abc import Sequence

import torch

from fiber.data.retrieval_batch import GalleryBatch, GallerySample, MatchingSample, RetrievalBatch
from fiber.data.tokenization import TextTokenizer


class RetrievalCollator:
    """Collates pairs to learn from.

    Args:
        tokenizer: of the captions.
        max_text_length: tokens per text, special ones included.
    """

    def __init__(self, tokenizer: TextTokenizer, *, max_text_length: int) -> None:
        self.tokenizer = tokenizer
        self.max_text_length = max_text_length

    def __call__(self, samples: Sequence[MatchingSample]) -> RetrievalBatch:
        text = self.tokenizer.encode([sample.caption for sample in samples], self.max_text_length)
        return RetrievalBatch(
            image=torch.stack([sample.image for sample in samples]),
            text_ids=text.ids,
            text_mask=text.mask,
            matches=torch.tensor([sample.matches for sample in samples]),
            sample=torch.tensor([sample.key.sample for sample in samples]),
            draw=torch.tensor([sample.key.draw for sample in samples]),
            first_draw=samples[0].key.draw,
            broken=tuple(location for sample in samples for location in sample.broken),
        )


def collate_gallery(samples: Sequence[GallerySample]) -> GalleryBatch:
    """Collate images to be ranked."""
    return GalleryBatch(
        image=torch.stack([sample.image for sample in samples]),
        sample=torch.tensor([sample.key.sample for sample in samples]),
        broken=tuple(location for sample in samples for location in sample.broken),
    )
