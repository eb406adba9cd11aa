"""Language models small enough to know all their captions.

Axes: I images, n captions of each, V vocabulary.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from fiber.generation.vocabulary import CaptionVocabulary

BOS, PAD, EOS, MASK = 0, 1, 2, 6
VOCABULARY = CaptionVocabulary(bos_id=BOS, pad_id=PAD, eos_id=EOS, mask_id=MASK)
WORDS = (3, 4, 5)


class RereadingDecoder(ABC):
    """Reads every caption anew from its beginning at every step."""

    device = torch.device("cpu")

    def __init__(self, num_images: int) -> None:
        self.num_images = num_images
        self.tokens: Tensor | None = None

    @abstractmethod
    def logits(self, image: int, tokens: tuple[int, ...]) -> Tensor:
        """Of the token after these, V."""

    def step(self, tokens: Tensor) -> Tensor:
        new = tokens[..., None]
        self.tokens = new if self.tokens is None else torch.cat([self.tokens, new], dim=2)
        rows = [[self.logits(index, tuple(t)) for t in image] for index, image in enumerate(self.tokens.tolist())]
        return torch.stack([torch.stack(row) for row in rows])

    def select(self, captions: Tensor) -> None:
        assert self.tokens is not None
        self.tokens = torch.stack([image[index] for image, index in zip(self.tokens, captions, strict=True)])


class TableDecoder(RereadingDecoder):
    """Random logits for every beginning of a caption, apart for every image."""

    def __init__(self, seeds: list[int], *, sharpness: float = 2.0) -> None:
        super().__init__(len(seeds))
        self.seeds = seeds
        self.sharpness = sharpness

    def logits(self, image: int, tokens: tuple[int, ...]) -> Tensor:
        generator = torch.Generator().manual_seed(hash((self.seeds[image], tokens)) % 2**62)
        return self.sharpness * torch.randn(MASK + 1, generator=generator, dtype=torch.float64)

    def all_captions(self, image: int, *, max_tokens: int, min_tokens: int = 0) -> Iterator[tuple[list[int], float]]:
        """Every caption with the sum of its log-probabilities."""
        for length in range(1, max_tokens + 1):
            ends = (EOS, *WORDS) if length == max_tokens else (EOS,)
            for caption in itertools.product(*[WORDS] * (length - 1), ends):
                if caption[-1] == EOS and length <= min_tokens:
                    continue
                yield list(caption), self.log_probability(image, caption, min_tokens)

    def log_probability(self, image: int, caption: tuple[int, ...], min_tokens: int) -> float:
        total = 0.0
        for place, token in enumerate(caption):
            logits = self.logits(image, (BOS, *caption[:place]))
            allowed = [*WORDS, *([EOS] if place >= min_tokens else [])]
            total += float(logits[token] - logits[allowed].logsumexp(0))
        return total


@pytest.fixture
def vocabulary() -> CaptionVocabulary:
    return VOCABULARY
