"""Objectives by the recipe, and CIDEr-D as a reward."""

from collections.abc import Sequence

import pytest
import torch

from fiber.data.shapes.captions import ShapesCaptions
from fiber.data.tokenization import TextTokenizer, train_tokenizer
from fiber.evaluation.captioning.cider import CiderD, ended_words
from fiber.evaluation.captioning.document_frequencies import DocumentFrequencies
from fiber.objectives.caption_reward import CaptionRewardObjective
from fiber.objectives.captioning import LikelihoodObjective
from fiber.objectives.gold import GoldNormalization, GoldObjective
from fiber.tasks.coarse.caption.objective import (
    CaptionLoss,
    CaptionObjectiveConfig,
    CiderReward,
    build_objective,
    caption_vocabulary,
    count_words,
)

REFERENCES = (("A red circle.", "a red circle", "there is a circle"), ("Two blue squares",))


@pytest.fixture(scope="module")
def reader() -> ShapesCaptions:
    return ShapesCaptions("train", num_samples=40, image_size=32)


@pytest.fixture(scope="module")
def tokenizer(reader: ShapesCaptions) -> TextTokenizer:
    return train_tokenizer([*reader.texts(), *(text for texts in REFERENCES for text in texts)], 500)


def ids(tokenizer: TextTokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch(texts)]


def test_reward_is_cider_d_against_all_captions_of_the_image(tokenizer: TextTokenizer) -> None:
    frequencies = DocumentFrequencies(50, {"a": 40, "circle": 10, "a red": 5})
    written = (("a red circle", "a blue circle"), ("two blue squares", "a circle"))
    reward = CiderReward(frequencies, tokenizer)([ids(tokenizer, texts) for texts in written], REFERENCES)
    scorer = CiderD(frequencies)
    expected = [
        scorer.scores([ended_words(text) for text in texts], [ended_words(text) for text in references])
        for texts, references in zip(written, REFERENCES, strict=True)
    ]
    torch.testing.assert_close(reward, torch.tensor(expected, dtype=torch.float64))
    assert reward[1, 0] == pytest.approx(10)
    assert reward[0, 0] > reward[0, 1] > 0 and reward[1, 1] < 2


def test_words_are_counted_by_image(reader: ShapesCaptions) -> None:
    counted = count_words([reader, reader])
    assert counted.num_documents == 80
    with_article = sum(any("a" in ended_words(text) for text in reader.captions(index)) for index in range(len(reader)))
    assert counted.counts["a"] == 2 * with_article > 0
    assert counted.counts["<eos>"] == 80


def test_a_recipe_names_its_objective(reader: ShapesCaptions, tokenizer: TextTokenizer) -> None:
    def built(config: CaptionObjectiveConfig) -> object:
        return build_objective(config, tokenizer=tokenizer, train=[reader], seed=3)

    assert isinstance(built(CaptionObjectiveConfig()), LikelihoodObjective)
    normalization = GoldNormalization.ORIGINAL
    gold = built(CaptionObjectiveConfig(loss=CaptionLoss.GOLD, refresh_every=7, normalization=normalization))
    assert isinstance(gold, GoldObjective)
    assert (gold.refresh_every, gold.normalization) == (7, normalization)
    cider = built(CaptionObjectiveConfig(loss=CaptionLoss.CIDER, num_samples=3, reward_share=0.5))
    assert isinstance(cider, CaptionRewardObjective)
    assert (cider.config.num_samples, cider.config.reward_share, cider.seed) == (3, 0.5, 3)
    assert cider.vocabulary == caption_vocabulary(tokenizer)


def test_special_tokens_are_those_of_the_tokeniser(tokenizer: TextTokenizer) -> None:
    vocabulary = caption_vocabulary(tokenizer)
    assert (vocabulary.bos_id, vocabulary.pad_id, vocabulary.eos_id) == (0, 1, 2)
    assert vocabulary.mask_id == tokenizer.vocab_size - 1
