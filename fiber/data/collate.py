"""Pairs to batches: tokens and masked tokens."""

from collections.abc import Sequence

import numpy as np
import torch

from fiber.data.batch import PairBatch, PairSample
from fiber.data.masking import mask_tokens
from fiber.data.tokenization import TextTokenizer

MASKING_STREAM = 1
"""Third entry of the masking generator's seed: its numbers are not those of the image's augmentation."""


class PairCollator:
    """Collates pairs; each text is masked by a generator of its own, seeded by the run's seed and the draw.

    Args:
        tokenizer: of the captions.
        max_text_length: tokens per text, special ones included.
        mlm_probability: of selecting a token.
        seed: the run's.
    """

    def __init__(self, tokenizer: TextTokenizer, *, max_text_length: int, mlm_probability: float, seed: int) -> None:
        self.tokenizer = tokenizer
        self.max_text_length = max_text_length
        self.mlm_probability = mlm_probability
        self.seed = seed

    def __call__(self, samples: Sequence[PairSample]) -> PairBatch:
        captions = tuple(sample.caption for sample in samples)
        text = self.tokenizer.encode(captions, self.max_text_length)
        special = (text.ids == self.tokenizer.bos_id) | (text.ids == self.tokenizer.eos_id)
        maskable = (text.mask & ~special).numpy()
        masked = [
            mask_tokens(
                ids,
                row,
                np.random.default_rng([self.seed, sample.key.draw, MASKING_STREAM]),
                probability=self.mlm_probability,
                mask_id=self.tokenizer.mask_id,
                vocab_size=self.tokenizer.vocab_size,
            )
            for ids, row, sample in zip(text.ids.numpy(), maskable, samples, strict=True)
        ]
        return PairBatch(
            image=torch.stack([sample.image for sample in samples]),
            text_ids=text.ids,
            text_mask=text.mask,
            content_mask=text.content,
            masked_ids=torch.from_numpy(np.stack([one.ids for one in masked])),
            masked_labels=torch.from_numpy(np.stack([one.labels for one in masked])),
            image_index=torch.tensor([sample.image_index for sample in samples]),
            sample=torch.tensor([sample.key.sample for sample in samples]),
            draw=torch.tensor([sample.key.draw for sample in samples]),
            captions=captions,
            broken=tuple(location for sample in samples for location in sample.broken),
        )
