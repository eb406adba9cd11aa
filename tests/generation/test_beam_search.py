"""Beam search against all captions there are."""

import math

import pytest
import torch

from fiber.generation.beam_search import BeamSearchConfig, beam_search
from fiber.generation.vocabulary import CaptionVocabulary

from .conftest import EOS, PAD, WORDS, TableDecoder

MAX_TOKENS = 4
SEEDS = list(range(12))


def without_padding(tokens: list[int]) -> list[int]:
    return [token for token in tokens if token != PAD]


@pytest.mark.parametrize("length_penalty", [-0.5, 0.0, 1.0, 2.0])
@pytest.mark.parametrize("min_tokens", [0, 2])
def test_a_search_as_wide_as_all_captions_finds_the_best(
    vocabulary: CaptionVocabulary, length_penalty: float, min_tokens: int
) -> None:
    config = BeamSearchConfig(
        num_beams=len(WORDS) ** MAX_TOKENS, max_tokens=MAX_TOKENS, min_tokens=min_tokens, length_penalty=length_penalty
    )
    found = beam_search(TableDecoder(SEEDS), vocabulary, config)
    for image, (tokens, score) in enumerate(zip(found.tokens[:, 0].tolist(), found.scores[:, 0].tolist(), strict=True)):
        captions = TableDecoder(SEEDS).all_captions(image, max_tokens=MAX_TOKENS, min_tokens=min_tokens)
        ranked = [(total / len(caption) ** length_penalty, caption) for caption, total in captions]
        best_rank, best = max(ranked)
        assert without_padding(tokens) == best
        assert score == pytest.approx(best_rank)


@pytest.mark.parametrize("num_beams", [1, 2, 3, 5])
def test_every_score_is_that_of_the_caption(vocabulary: CaptionVocabulary, num_beams: int) -> None:
    config = BeamSearchConfig(num_beams=num_beams, max_tokens=6)
    decoder = TableDecoder(SEEDS)
    found = beam_search(decoder, vocabulary, config)
    for image, tokens in enumerate(found.tokens[:, 0].tolist()):
        caption = without_padding(tokens)
        assert caption.count(EOS) <= 1 and set(caption) <= {EOS, *WORDS}
        total = TableDecoder(SEEDS).log_probability(image, tuple(caption), 0)
        assert found.scores[image, 0].item() == pytest.approx(total / len(caption))


def test_images_of_a_batch_do_not_touch_each_other(vocabulary: CaptionVocabulary) -> None:
    config = BeamSearchConfig(num_beams=3, max_tokens=8)
    together = beam_search(TableDecoder(SEEDS, sharpness=4.0), vocabulary, config)
    for image, seed in enumerate(SEEDS):
        alone = beam_search(TableDecoder([seed], sharpness=4.0), vocabulary, config)
        assert alone.tokens[0].tolist() == together.tokens[image].tolist()
        assert alone.scores[0].tolist() == together.scores[image].tolist()


class ScriptedDecoder(TableDecoder):
    """Probabilities written down for some beginnings, even ones for all others; counts its steps."""

    def __init__(self, script: dict[tuple[int, ...], dict[int, float]]) -> None:
        super().__init__([0])
        self.script = script
        self.num_steps = 0

    def logits(self, image: int, tokens: tuple[int, ...]) -> torch.Tensor:
        even = dict.fromkeys((EOS, *WORDS), 0.25)
        chances = self.script.get(tokens, even)
        return torch.tensor([math.log(chances.get(token, 1e-30)) for token in range(7)], dtype=torch.float64)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        self.num_steps += 1
        return super().step(tokens)


def test_an_ended_caption_leaves_its_beam_to_others(vocabulary: CaptionVocabulary) -> None:
    # With two beams: `3 </s>` ends first with mean log 0.5; `4 5 </s>` is better per token and must still be found.
    script = {
        (0,): {3: 0.55, 4: 0.45},
        (0, 3): {EOS: 0.45, 5: 0.3, 3: 0.25},
        (0, 4): {5: 1.0},
        (0, 4, 5): {EOS: 1.0},
    }
    found = beam_search(ScriptedDecoder(script), vocabulary, BeamSearchConfig(num_beams=2, max_tokens=5))
    assert without_padding(found.tokens[0, 0].tolist()) == [4, 5, EOS]
    assert found.scores.item() == pytest.approx(math.log(0.45) / 3)


def test_the_search_ends_when_nothing_better_can_come(vocabulary: CaptionVocabulary) -> None:
    certain = ScriptedDecoder({(0,): {3: 1.0}, (0, 3): {EOS: 1.0}})
    found = beam_search(certain, vocabulary, BeamSearchConfig(num_beams=3, max_tokens=50))
    assert without_padding(found.tokens[0, 0].tolist()) == [3, EOS]
    assert certain.num_steps == 2


def test_a_caption_without_end_is_cut(vocabulary: CaptionVocabulary) -> None:
    script = {(0, *[3] * length): {3: 1.0} for length in range(5)}
    found = beam_search(ScriptedDecoder(script), vocabulary, BeamSearchConfig(num_beams=2, max_tokens=4))
    assert found.tokens[0, 0].tolist() == [3, 3, 3, 3]
    assert found.words(vocabulary) == [[[3, 3, 3, 3]]]
