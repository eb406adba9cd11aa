"""The cached decoder against reading every caption anew, through whole searches.

Axes: I images, n captions of each, V vocabulary.
"""

import pytest
import torch
from torch import Tensor

from fiber.generation.beam_search import BeamSearchConfig, beam_search
from fiber.generation.caption_decoder import CaptionDecoder
from fiber.generation.sampling import caption_draws, greedy_captions, sample_captions
from fiber.generation.vocabulary import CaptionVocabulary
from fiber.models.captioning_model import FiberForCaptioning

from .conftest import RereadingDecoder

VOCABULARY = CaptionVocabulary(bos_id=0, pad_id=1, eos_id=2, mask_id=49)
NUM_IMAGES, MAX_TOKENS = 4, 12


class ModelRereading(RereadingDecoder):
    """The model without a cache, one caption at a time."""

    def __init__(self, model: FiberForCaptioning, pixels: Tensor) -> None:
        super().__init__(len(pixels))
        self.model = model
        self.pixels = pixels

    def logits(self, image: int, tokens: tuple[int, ...]) -> Tensor:
        memory = self.model.read_image(self.pixels[image : image + 1])
        return self.model.token_logits(torch.tensor([tokens]), memory)[0, -1]


@pytest.fixture
def pixels() -> Tensor:
    return torch.randn(NUM_IMAGES, 3, 32, 32, generator=torch.Generator().manual_seed(0)).double()


@torch.no_grad()
def test_cached_beam_search_equals_reading_anew(captioner: FiberForCaptioning, pixels: Tensor) -> None:
    config = BeamSearchConfig(num_beams=4, max_tokens=MAX_TOKENS)
    cached = beam_search(CaptionDecoder(captioner, captioner.read_image(pixels)), VOCABULARY, config)
    anew = beam_search(ModelRereading(captioner, pixels), VOCABULARY, config)
    assert cached.tokens.tolist() == anew.tokens.tolist()
    torch.testing.assert_close(cached.scores, anew.scores, rtol=1e-9, atol=0)
    assert len({tuple(caption) for caption in cached.tokens[:, 0].tolist()}) > 1


@torch.no_grad()
def test_a_batch_equals_its_images_alone(captioner: FiberForCaptioning, pixels: Tensor) -> None:
    config = BeamSearchConfig(num_beams=4, max_tokens=MAX_TOKENS)
    together = beam_search(CaptionDecoder(captioner, captioner.read_image(pixels)), VOCABULARY, config)
    for image in range(NUM_IMAGES):
        alone = beam_search(
            CaptionDecoder(captioner, captioner.read_image(pixels[image : image + 1])), VOCABULARY, config
        )
        assert alone.tokens[0].tolist() == together.tokens[image].tolist()


@torch.no_grad()
def test_cached_greedy_and_sampled_captions_equal_reading_anew(captioner: FiberForCaptioning, pixels: Tensor) -> None:
    image = captioner.read_image(pixels)
    greedy = greedy_captions(CaptionDecoder(captioner, image), VOCABULARY, max_tokens=MAX_TOKENS)
    assert (
        greedy.tokens.tolist()
        == greedy_captions(ModelRereading(captioner, pixels), VOCABULARY, max_tokens=MAX_TOKENS).tokens.tolist()
    )
    draws = caption_draws(range(NUM_IMAGES), num_captions=3, max_tokens=MAX_TOKENS, seed=0)
    sampled = sample_captions(CaptionDecoder(captioner, image), VOCABULARY, draws)
    anew = sample_captions(ModelRereading(captioner, pixels), VOCABULARY, draws)
    assert sampled.tokens.tolist() == anew.tokens.tolist()
    assert len({tuple(caption) for caption in sampled.tokens[0].tolist()}) > 1
