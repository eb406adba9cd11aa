"""Captions without a search."""

from collections import Counter

import pytest
import torch

from fiber.generation.captions import GeneratedCaptions
from fiber.generation.sampling import caption_draws, greedy_captions, inverse_cumulative, sample_captions
from fiber.generation.vocabulary import CaptionVocabulary

from .conftest import BOS, EOS, MASK, PAD, WORDS, TableDecoder

MAX_TOKENS = 5


def test_greedy_takes_the_most_probable_allowed_token(vocabulary: CaptionVocabulary) -> None:
    decoder = TableDecoder(list(range(6)))
    found = greedy_captions(decoder, vocabulary, max_tokens=MAX_TOKENS)
    for image, words in enumerate(found.tokens[:, 0].tolist()):
        caption = [token for token in words if token != PAD]
        for place, token in enumerate(caption):
            logits = decoder.logits(image, (BOS, *caption[:place]))
            assert token == max((EOS, *WORDS), key=lambda candidate: float(logits[candidate]))
        assert caption[-1] == EOS or len(caption) == MAX_TOKENS
        total = decoder.log_probability(image, tuple(caption), 0)
        assert found.scores[image, 0].item() == pytest.approx(total, rel=1e-5)


def test_samples_follow_the_probabilities(vocabulary: CaptionVocabulary) -> None:
    decoder, num_samples = TableDecoder([1], sharpness=1.0), 4000
    draws = caption_draws([0], num_captions=num_samples, max_tokens=2, seed=0)
    found = sample_captions(decoder, vocabulary, draws)
    counts = Counter(tuple(t for t in row if t != PAD) for row in found.tokens[0].tolist())
    expected = {tuple(c): torch.tensor(p).exp().item() for c, p in decoder.all_captions(0, max_tokens=2)}
    assert sum(expected.values()) == pytest.approx(1.0)
    assert set(counts) <= set(expected)
    for caption, probability in expected.items():
        deviation = (probability * (1 - probability) / num_samples) ** 0.5
        assert abs(counts[caption] / num_samples - probability) < 4 * deviation


def test_low_temperature_is_greedy(vocabulary: CaptionVocabulary) -> None:
    seeds = list(range(6))
    draws = caption_draws(seeds, num_captions=3, max_tokens=MAX_TOKENS, seed=0)
    cold = sample_captions(TableDecoder(seeds), vocabulary, draws, temperature=1e-4)
    greedy = greedy_captions(TableDecoder(seeds), vocabulary, max_tokens=MAX_TOKENS)
    assert cold.tokens.tolist() == greedy.tokens.expand(-1, 3, -1).tolist()


def test_draws_of_an_image_depend_on_its_key_alone(vocabulary: CaptionVocabulary) -> None:
    settings = {"num_captions": 2, "max_tokens": MAX_TOKENS, "seed": 7}
    together = caption_draws([5, 9], **settings)
    assert torch.equal(together[1:], caption_draws([9], **settings))
    assert not torch.equal(together[0], together[1])
    assert not torch.equal(together[0], caption_draws([5], **settings | {"seed": 8})[0])
    both = sample_captions(TableDecoder([5, 9]), vocabulary, together)
    alone = sample_captions(TableDecoder([9]), vocabulary, together[1:])
    assert both.words(vocabulary)[1] == alone.words(vocabulary)[0]


def test_tokens_without_probability_are_never_drawn() -> None:
    probabilities = torch.tensor([[[0.0, 0.5, 0.0, 0.5, 0.0]]])
    for uniform, expected in ((0.0, 1), (0.4999, 1), (0.5, 3), (1 - 2**-53, 3)):
        draw = torch.tensor([[uniform]], dtype=torch.float64)
        assert inverse_cumulative(probabilities, draw).item() == expected


def test_vocabulary_leaves_one_distribution_over_words_and_the_end(vocabulary: CaptionVocabulary) -> None:
    logits = torch.randn(2, 7, dtype=torch.bfloat16)
    for may_end in (True, False):
        log_probabilities = vocabulary.log_probabilities(logits, may_end=may_end)
        assert log_probabilities.dtype == torch.float32
        allowed = [*WORDS, *([EOS] if may_end else [])]
        torch.testing.assert_close(log_probabilities[:, allowed].exp().sum(-1), torch.ones(2))
        assert log_probabilities[:, [BOS, PAD, MASK]].isneginf().all()


def test_words_leave_out_end_and_padding(vocabulary: CaptionVocabulary) -> None:
    captions = GeneratedCaptions(torch.tensor([[[3, 4, EOS, PAD], [EOS, PAD, PAD, PAD]]]), torch.zeros(1, 2))
    assert captions.words(vocabulary) == [[[3, 4], []]]
