"""Fine-tuning for retrieval: ITC, ITM or both (paper section 4.1; the original fine-tunes either alone).

Axes: B pairs of this process, G pairs of all, K contrastive keys (G and the queue).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor

from fiber.models.pair_model import PairEmbeddings, PairModel
from fiber.models.trunks import ImageTrunk, TextTrunk
from fiber.objectives.candidates import Candidates, ContrastiveKeys
from fiber.objectives.contrastive import Similarities, clamp_temperature, contrastive_loss, similarities
from fiber.objectives.hard_negatives import draw_negatives, own_rows
from fiber.objectives.matching import matching_labels, matching_loss
from fiber.objectives.pairs import DetachedEmbeddings, EmbeddedPairs, RawPairs
from fiber.objectives.passes import EncodedPairs, encode_negatives
from fiber.objectives.queue import EmbeddingQueue
from fiber.utils.distributed import gather_rows
from fiber.utils.errors import UserError


class MatchingNegatives(StrEnum):
    """Where the pairs that do not match come from."""

    NONE = "none"
    """No matching loss."""
    RANDOM = "random"
    """The data: every other pair is of an image and another image's caption."""
    HARD = "hard"
    """The batch of all processes: a negative text and a negative image per pair, drawn by contrastive similarity,
    which is trained as well or stays as it was."""


@dataclass(frozen=True, kw_only=True)
class RetrievalObjectiveConfig:
    """Which losses are minimised.

    Raises:
        UserError: no loss at all, or pairs joined at random with the contrastive loss, which takes all for true.
    """

    contrastive: bool
    matching: MatchingNegatives
    queue_size: int = 0
    """Embeddings of earlier pairs kept as contrastive keys; 0 = the current step's alone."""

    def __post_init__(self) -> None:
        if self.matching is (MatchingNegatives.RANDOM if self.contrastive else MatchingNegatives.NONE):
            raise UserError(
                f"objective.contrastive={str(self.contrastive).lower()} and objective.matching={self.matching} exclude "
                "each other: give contrastive=true with matching=none or hard, or false with random or hard."
            )


class RetrievalInputs(NamedTuple):
    """A batch on the device."""

    pairs: RawPairs
    matches: Tensor
    """bool B, False where the data joined an image with another image's caption."""
    sample_key: Tensor
    """int64 B 2, sample and draw."""


class RetrievalObjective:
    """Computes the losses and keeps the queue.

    Args:
        config: the choices of the recipe.
        normalize: uint8 pixels B 3 S S to the backbone's input.
        seed: of the draws of negatives.
    """

    def __init__(
        self, config: RetrievalObjectiveConfig, *, normalize: Callable[[Tensor], Tensor], seed: int = 0
    ) -> None:
        self.config = config
        self.normalize = normalize
        self.seed = seed
        self.queue = EmbeddingQueue(config.queue_size) if config.queue_size else None

    def __call__(self, model: PairModel, inputs: RetrievalInputs, *, step: int) -> dict[str, Tensor]:
        """Losses of one micro-batch by name (`itc`, `itm`); then its embeddings enter the queue.

        Args:
            model: in training mode or not.
            inputs: B pairs, the same number on every process.
            step: number of the micro-batch in the run; seeds the draws of negatives.
        """
        encoded = encode(model, inputs.pairs, self.normalize)
        if self.config.matching is MatchingNegatives.RANDOM:
            return {"itm": matching_loss(model.match(*encoded), inputs.matches.long())}
        clamp_temperature(model.temperature)
        with torch.set_grad_enabled(self.config.contrastive and torch.is_grad_enabled()):
            embeddings = PairEmbeddings(model.embed_image(encoded.image), model.embed_text(encoded.text))
        current = DetachedEmbeddings(embeddings.image.detach(), embeddings.text.detach()).gather()
        keys = self.queue.keys(current) if self.queue else ContrastiveKeys(current)
        similarity = similarities(
            *embeddings,
            image_keys=keys.image_keys,
            text_keys=keys.text_keys,
            valid=keys.valid,
            temperature=model.temperature,
        )
        positive = own_rows(len(inputs.pairs), inputs.matches.device)
        losses = {"itc": contrastive_loss(similarity, positive)} if self.config.contrastive else {}
        if self.config.matching is MatchingNegatives.HARD:
            of_batch = Similarities(*(part[:, : len(current)] for part in similarity))
            negatives = draw_negatives(of_batch, positive, seed=self.seed, step=step)
            candidates = gathered_candidates(inputs, current)
            negative = encode_negatives(model.backbone, encoded, candidates, negatives, self.normalize)
            losses["itm"] = hard_matching_loss(model, encoded, negative)
        if self.queue and model.training:
            self.queue.enqueue(current)
        return losses


def encode(model: PairModel, pairs: RawPairs, normalize: Callable[[Tensor], Tensor]) -> EncodedPairs:
    """Trunks of both sides, once for all losses."""
    return EncodedPairs(
        model.backbone.encode_image(normalize(pairs.image)),
        model.backbone.encode_text(pairs.text_ids, pairs.text_mask),
    )


def gathered_candidates(inputs: RetrievalInputs, current: DetachedEmbeddings) -> Candidates:
    """The pairs of all processes with their raw inputs."""
    raw = (gather_rows(tensor) for tensor in (inputs.pairs.image, inputs.pairs.text_ids, inputs.pairs.text_mask))
    embeddings = current.image_embedding, current.text_embedding
    return Candidates(EmbeddedPairs(RawPairs(*raw), *embeddings, gather_rows(inputs.sample_key)))


def hard_matching_loss(model: PairModel, own: EncodedPairs, negative: EncodedPairs) -> Tensor:
    """Matching loss of B true pairs, B images with a negative text and B texts with a negative image."""
    logits = model.match(
        ImageTrunk.concatenate([own.image, own.image, negative.image]),
        TextTrunk.concatenate([own.text, negative.text, own.text]),
    )
    num_pairs = len(own.image)
    return matching_loss(logits, matching_labels(num_pairs, 2 * num_pairs, logits.device))
