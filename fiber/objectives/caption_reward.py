"""Captions learned from a reward for what the model writes itself (Rennie et al. 2017, with CIDEr-D as the reward).

Axes: B images, n captions written for each, L tokens, T tokens of the longest caption, V vocabulary.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from fiber.generation.caption_decoder import CaptionDecoder
from fiber.generation.captions import GeneratedCaptions
from fiber.generation.sampling import caption_draws, greedy_captions, sample_captions
from fiber.generation.vocabulary import CaptionVocabulary
from fiber.models.captioning_model import FiberForCaptioning, ImageMemory
from fiber.objectives.captioning import CaptionInputs, CaptionObjective, caption_labels
from fiber.objectives.masked_language_modeling import IGNORED, token_loss

REWARD_SCALE = 100.0
"""Of the original, whose captions it compares with a reward of 1."""
ORIGINAL_BASELINE = 1.0


class Baseline(StrEnum):
    """What a caption's reward is compared with: above it the caption becomes more probable, below less."""

    CONSTANT = "constant"
    """A reward of 1, as in the original."""
    GREEDY = "greedy"
    """The reward of the model's most probable caption (self-critical)."""
    LEAVE_ONE_OUT = "leave_one_out"
    """The mean reward of the image's other captions."""


@dataclass(frozen=True, kw_only=True)
class CaptionRewardConfig:
    """How much is written, and how it counts."""

    num_samples: int = 5
    """Captions written per image."""
    baseline: Baseline = Baseline.CONSTANT
    reward_share: float = 0.7
    """Of the loss; the rest is the likelihood of the true captions."""


class Reward(Protocol):
    """Judges captions."""

    def __call__(self, captions: Sequence[Sequence[Sequence[int]]], references: Sequence[Sequence[str]]) -> Tensor:
        """Reward of every caption, B n on the CPU, from the token ids of n captions per image and its references."""


class CaptionRewardObjective(CaptionObjective):
    """Likelihood of the true captions, and REINFORCE on captions drawn from the model.

    The whole step runs without dropout and stochastic depth: the captions are then drawn from the very distribution
    whose gradient is taken, and each image is encoded once for all of them.

    Args:
        config: the choices of the recipe.
        reward: what captions are worth.
        vocabulary: the tokens with a meaning of their own.
        seed: of the captions drawn.
    """

    def __init__(
        self, config: CaptionRewardConfig, *, reward: Reward, vocabulary: CaptionVocabulary, seed: int = 0
    ) -> None:
        self.config = config
        self.reward = reward
        self.vocabulary = vocabulary
        self.seed = seed
        self.mean_reward = float("nan")
        """Of the captions drawn last."""

    def losses(self, model: FiberForCaptioning, inputs: CaptionInputs, *, step: int) -> dict[str, Tensor]:
        with evaluation_mode(model):
            image = model.read_image(inputs.pixels)
            labels = caption_labels(inputs.token_ids, self.vocabulary.pad_id)
            likelihood = token_loss(model.token_logits(inputs.token_ids, image, mask=inputs.mask), labels)
            written = self.write(model, image, inputs)
            log_probability = mean_log_probability(model, image, written.tokens, self.vocabulary)
            advantage = self.advantage(model, image, written, inputs).to(log_probability)
        reward = -REWARD_SCALE * (log_probability * advantage).sum(dim=1).mean()
        share = self.config.reward_share
        return {"likelihood": (1 - share) * likelihood, "reward": share * reward}

    def write(self, model: FiberForCaptioning, image: ImageMemory, inputs: CaptionInputs) -> GeneratedCaptions:
        """Draw captions no longer than the true ones may be."""
        max_tokens = inputs.token_ids.shape[1] - 1
        keys, num_captions = inputs.keys.tolist(), self.config.num_samples
        draws = caption_draws(keys, num_captions=num_captions, max_tokens=max_tokens, seed=self.seed)
        return sample_captions(CaptionDecoder(model, image), self.vocabulary, draws)

    def advantage(
        self, model: FiberForCaptioning, image: ImageMemory, written: GeneratedCaptions, inputs: CaptionInputs
    ) -> Tensor:
        """By how much captions are better than the baseline, B n."""
        reward = self.reward(written.words(self.vocabulary), inputs.references)
        self.mean_reward = float(reward.mean())
        if self.config.baseline is Baseline.CONSTANT:
            return reward - ORIGINAL_BASELINE
        if self.config.baseline is Baseline.LEAVE_ONE_OUT:
            others = reward.sum(dim=1, keepdim=True) - reward
            return reward - others / (self.config.num_samples - 1)
        greedy = greedy_captions(
            CaptionDecoder(model, image), self.vocabulary, max_tokens=inputs.token_ids.shape[1] - 1
        )
        return reward - self.reward(greedy.words(self.vocabulary), inputs.references)


def mean_log_probability(
    model: FiberForCaptioning, image: ImageMemory, tokens: Tensor, vocabulary: CaptionVocabulary
) -> Tensor:
    """Mean log-probability per token of captions that were written before, with gradient.

    Args:
        model: in the mode in which they were written.
        image: of B images.
        tokens: int64 B n T, as `GeneratedCaptions` has them.
        vocabulary: the tokens with a meaning of their own.

    Returns:
        B n.
    """
    ids = F.pad(tokens.flatten(0, 1), (1, 0), value=vocabulary.bos_id)  # B*n T+1
    labels = caption_labels(ids, vocabulary.pad_id)
    real = labels != IGNORED
    logits = model.token_logits(ids, image, mask=ids != vocabulary.pad_id)
    log_probabilities = vocabulary.log_probabilities(logits)
    chosen = log_probabilities.gather(-1, labels.masked_fill(~real, vocabulary.eos_id)[..., None])[..., 0]
    return ((chosen * real).sum(dim=1) / real.sum(dim=1)).view(tokens.shape[:2])


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards every module has the mode it had."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
