"""Captions of images as a recipe asks for them. Axes: I images, S image side in pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from fiber.generation.beam_search import BeamSearchConfig, beam_search
from fiber.generation.caption_decoder import CaptionDecoder
from fiber.generation.captions import GeneratedCaptions
from fiber.generation.sampling import caption_draws, greedy_captions, sample_captions
from fiber.generation.vocabulary import CaptionVocabulary
from fiber.models.captioning_model import FiberForCaptioning
from fiber.utils.errors import UserError
from fiber.utils.ranges import check_counts, check_finite, check_positive


class Search(StrEnum):
    """How the next token is chosen."""

    BEAM = "beam"
    GREEDY = "greedy"
    SAMPLE = "sample"


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """How captions are written."""

    search: Search = Search.BEAM
    num_beams: int = 5
    max_length: int = 50
    """Tokens, `<s>` and `</s>` included."""
    length_penalty: float = 1.0
    """Of beam search: exponent of the number of tokens that the log-probability of a caption is divided by."""
    temperature: float = 1.0
    """Of sampling: divides the log-probabilities; below 1 sharpens them."""

    def __post_init__(self) -> None:
        check_counts(self, "", "num_beams", "max_length")
        check_finite(self, "", "length_penalty")
        check_positive(self, "", "temperature")
        if self.max_length < 3:
            raise UserError(f"max_length={self.max_length}: give at least 3 tokens, <s> and </s> included.")

    @property
    def max_tokens(self) -> int:
        """Tokens after `<s>`."""
        return self.max_length - 1


class CaptionGenerator:
    """Writes one caption per image.

    Args:
        config: how.
        vocabulary: the tokens with a meaning of their own.
        seed: of sampled captions.
    """

    def __init__(self, config: GenerationConfig, vocabulary: CaptionVocabulary, *, seed: int = 0) -> None:
        self.config = config
        self.vocabulary = vocabulary
        self.seed = seed

    @torch.no_grad()
    def __call__(self, model: FiberForCaptioning, pixels: Tensor, *, keys: Sequence[int]) -> list[list[int]]:
        """Token ids of every caption without special tokens.

        Args:
            model: in evaluation mode.
            pixels: I 3 S S, normalised.
            keys: a number for each image, by which sampled captions are drawn.
        """
        decoder = CaptionDecoder(model, model.read_image(pixels))
        captions = self.generate(decoder, keys).words(self.vocabulary)
        return [one for [one] in captions]

    def generate(self, decoder: CaptionDecoder, keys: Sequence[int]) -> GeneratedCaptions:
        config, vocabulary = self.config, self.vocabulary
        if config.search is Search.GREEDY:
            return greedy_captions(decoder, vocabulary, max_tokens=config.max_tokens)
        if config.search is Search.SAMPLE:
            draws = caption_draws(keys, num_captions=1, max_tokens=config.max_tokens, seed=self.seed)
            return sample_captions(decoder, vocabulary, draws, temperature=config.temperature)
        beams = BeamSearchConfig(
            max_tokens=config.max_tokens, num_beams=config.num_beams, length_penalty=config.length_penalty
        )
        return beam_search(decoder, vocabulary, beams)
