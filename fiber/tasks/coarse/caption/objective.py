"""Which captions are learned from, as a recipe says it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import torch
from torch import Tensor

from fiber.data.readers.base import CaptionReader
from fiber.data.tokenization import TextTokenizer
from fiber.evaluation.captioning.cider import CiderD, caption_frequencies, ended_words
from fiber.evaluation.captioning.document_frequencies import DocumentFrequencies
from fiber.generation.vocabulary import CaptionVocabulary
from fiber.objectives.caption_reward import Baseline, CaptionRewardConfig, CaptionRewardObjective
from fiber.objectives.captioning import CaptionObjective, LikelihoodObjective
from fiber.objectives.gold import GoldNormalization, GoldObjective
from fiber.utils.errors import UserError


class CaptionLoss(StrEnum):
    """The objectives of captioning, in the order in which they follow each other."""

    LIKELIHOOD = "mle"
    GOLD = "gold"
    CIDER = "cider"


@dataclass(frozen=True, kw_only=True)
class CaptionObjectiveConfig:
    """The choices of a recipe."""

    loss: CaptionLoss = CaptionLoss.LIKELIHOOD
    refresh_every: int = 1000
    """Of GOLD: optimiser steps after which its policy becomes what the model is."""
    normalization: GoldNormalization = GoldNormalization.TOKENS
    """Of GOLD."""
    num_samples: int = 5
    """Of CIDEr: captions written per image."""
    baseline: Baseline = Baseline.CONSTANT
    """Of CIDEr: what a caption's reward is compared with."""
    reward_share: float = 0.7
    """Of CIDEr: of the loss; the rest is the likelihood of the true captions."""
    document_frequencies: str | None = None
    """Of CIDEr: file of word frequencies; None = counted in the training data."""

    def __post_init__(self) -> None:
        if self.refresh_every < 1:
            raise UserError(f"objective.refresh_every={self.refresh_every}: give at least 1.")
        least = 2 if self.baseline is Baseline.LEAVE_ONE_OUT else 1
        if self.num_samples < least:
            raise UserError(f"objective.num_samples={self.num_samples}: give at least {least}.")


def build_objective(
    config: CaptionObjectiveConfig, *, tokenizer: TextTokenizer, train: Sequence[CaptionReader], seed: int
) -> CaptionObjective:
    """The objective of a recipe.

    Args:
        config: its choices.
        tokenizer: of the captions.
        train: readers of the training data, whose words CIDEr counts if it is given no frequencies.
        seed: of the captions that are drawn.
    """
    if config.loss is CaptionLoss.LIKELIHOOD:
        return LikelihoodObjective()
    if config.loss is CaptionLoss.GOLD:
        return GoldObjective(refresh_every=config.refresh_every, normalization=config.normalization)
    reward = CaptionRewardConfig(
        num_samples=config.num_samples, baseline=config.baseline, reward_share=config.reward_share
    )
    file = config.document_frequencies
    frequencies = count_words(train) if file is None else DocumentFrequencies.load(Path(file))
    return CaptionRewardObjective(
        reward, reward=CiderReward(frequencies, tokenizer), vocabulary=caption_vocabulary(tokenizer), seed=seed
    )


def caption_vocabulary(tokenizer: TextTokenizer) -> CaptionVocabulary:
    """The tokeniser's special tokens."""
    return CaptionVocabulary(
        bos_id=tokenizer.bos_id, pad_id=tokenizer.pad_id, eos_id=tokenizer.eos_id, mask_id=tokenizer.mask_id
    )


def count_words(readers: Iterable[CaptionReader]) -> DocumentFrequencies:
    """In how many images' captions each run of words occurs."""
    return caption_frequencies(reader.captions(index) for reader in readers for index in range(len(reader)))


class CiderReward:
    """CIDEr-D of captions by their token ids.

    Args:
        frequencies: of words in the training data.
        tokenizer: of the captions.
    """

    def __init__(self, frequencies: DocumentFrequencies, tokenizer: TextTokenizer) -> None:
        self.scorer = CiderD(frequencies)
        self.tokenizer = tokenizer

    def __call__(self, captions: Sequence[Sequence[Sequence[int]]], references: Sequence[Sequence[str]]) -> Tensor:
        """Of n captions per image, float64 B n."""
        rows = []
        for written, true in zip(captions, references, strict=True):
            truths = [ended_words(text) for text in dict.fromkeys(true)]
            rows.append(self.scorer.scores([ended_words(self.tokenizer.decode(ids)) for ids in written], truths))
        return torch.tensor(rows, dtype=torch.float64)
