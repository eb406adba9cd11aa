"""One step of coarse pre-training: MLM + ITC + ITM (paper section 3.2).

Axes: B pairs of this process, G pairs of all, K candidates (G and the queue), L text tokens, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from fiber.models.pretraining_model import FiberForPretraining
from fiber.objectives.candidates import Candidates
from fiber.objectives.contrastive import clamp_temperature, contrastive_loss, similarities
from fiber.objectives.hard_negatives import draw_negatives, own_rows
from fiber.objectives.masked_language_modeling import token_loss
from fiber.objectives.matching import matching_labels, matching_loss
from fiber.objectives.pairs import EmbeddedPairs
from fiber.objectives.passes import (
    ForwardPass,
    FusedTerms,
    PretrainingInputs,
    SeparatePass,
    SharedTrunkPass,
)
from fiber.objectives.queue import PairQueue


@dataclass(frozen=True, kw_only=True)
class PretrainingObjectiveConfig:
    """How the three losses are computed."""

    queue_size: int = 4096
    """Earlier pairs kept as contrastive keys and candidates for negatives; 0 = the current step's alone."""
    share_trunk: bool = True
    """Encode each input once and fuse all pairs in one pass. False: the original's separate passes, same result."""


class PretrainingLosses(NamedTuple):
    """Scalars; training minimises their sum."""

    masked_language_modeling: Tensor
    contrastive: Tensor
    matching: Tensor

    def total(self) -> Tensor:
        return self.masked_language_modeling + self.contrastive + self.matching


class PretrainingOutput(NamedTuple):
    """Losses and the logits behind them."""

    losses: PretrainingLosses
    token_logits: Tensor
    """B L V, of the masked texts."""
    matching_logits: Tensor
    """3B 2: positives, (image, negative text), (negative image, text)."""


class PretrainingObjective:
    """Computes the losses and keeps the queue.

    Args:
        config: the choices of the recipe.
        normalize: uint8 pixels B 3 S S to the backbone's input.
        seed: of the draws of negatives.
    """

    def __init__(
        self, config: PretrainingObjectiveConfig, *, normalize: Callable[[Tensor], Tensor], seed: int = 0
    ) -> None:
        self.config = config
        self.normalize = normalize
        self.seed = seed
        self.queue = PairQueue(config.queue_size) if config.queue_size else None

    def __call__(self, model: FiberForPretraining, inputs: PretrainingInputs, *, step: int) -> PretrainingOutput:
        """Losses of one micro-batch; then the batch enters the queue.

        Args:
            model: in training mode or not.
            inputs: B pairs, the same number on every process.
            step: number of the micro-batch in the run; seeds the draws of negatives.
        """
        clamp_temperature(model.temperature)
        passes = SharedTrunkPass if self.config.share_trunk else SeparatePass
        forward: ForwardPass = passes(model, inputs, self.normalize)
        embeddings = forward.embed()
        current = EmbeddedPairs(
            inputs.pairs, embeddings.image.detach(), embeddings.text.detach(), inputs.sample_key
        ).gather()
        candidates = self.queue.candidates(current) if self.queue else Candidates(current)
        similarity = similarities(
            *embeddings,
            image_keys=candidates.image_keys,
            text_keys=candidates.text_keys,
            valid=candidates.valid,
            temperature=model.temperature,
        )
        positive = own_rows(len(inputs.pairs), inputs.sample_key.device)
        negatives = draw_negatives(similarity, positive, seed=self.seed, step=step)
        fused = forward.fuse(candidates, negatives)
        if self.queue and model.training:
            self.queue.enqueue(current)
        return pretraining_output(model, inputs, fused, contrastive_loss(similarity, positive))


def pretraining_output(
    model: FiberForPretraining, inputs: PretrainingInputs, fused: FusedTerms, contrastive: Tensor
) -> PretrainingOutput:
    """Heads on the fused features, and the losses."""
    token_logits = model.masked_language_modeling_head(model.cross_modal_head(fused.masked).text)
    matching_logits = model.matching_head(model.cross_modal_head(fused.matching).pooled)
    num_pairs = len(inputs.pairs)
    losses = PretrainingLosses(
        masked_language_modeling=token_loss(token_logits, inputs.masked_labels),
        contrastive=contrastive,
        matching=matching_loss(matching_logits, matching_labels(num_pairs, 2 * num_pairs, matching_logits.device)),
    )
    return PretrainingOutput(losses, token_logits, matching_logits)
