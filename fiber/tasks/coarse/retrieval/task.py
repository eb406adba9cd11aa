"""Fine-tuning for retrieval as a Lightning module."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from fiber.data.normalization import normalize_pixels
from fiber.data.retrieval_batch import RetrievalBatch
from fiber.data.tokenization import TextTokenizer
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.retrieval_model import FiberForRetrieval
from fiber.objectives.pairs import RawPairs
from fiber.objectives.queue import EmbeddingQueueState
from fiber.objectives.retrieval import (
    MatchingNegatives,
    RetrievalInputs,
    RetrievalObjective,
    RetrievalObjectiveConfig,
)
from fiber.tasks.coarse.fine_tuning import FineTuning
from fiber.tasks.coarse.retrieval.evaluator import RetrievalEvaluator
from fiber.tasks.optimizer import OptimizationConfig
from fiber.utils.distributed import world_size

QUEUE_KEY = "embedding_queue"


class RetrievalFineTuning(FineTuning):
    """ITC, ITM or both on image-text pairs.

    Logs `train/itc_loss`, `train/itm_loss` and, with ITC, `train/temperature`; per validation `val/retrieval/*`,
    `val/retrieval_itm/*` and `val/retrieval_reranked/*`, as far as the rankings are asked for.

    Args:
        model: the network.
        objective: which losses.
        optimization: optimiser, groups and schedule.
        tokenizer: of the texts.
        evaluator: of the validation split.
        seed: of the draws of negatives.
    """

    model: FiberForRetrieval
    evaluator: RetrievalEvaluator

    def __init__(
        self,
        model: FiberForRetrieval,
        *,
        objective: RetrievalObjectiveConfig,
        optimization: OptimizationConfig,
        tokenizer: TextTokenizer,
        evaluator: RetrievalEvaluator,
        seed: int = 0,
    ) -> None:
        self.objective = RetrievalObjective(objective, normalize=normalize_pixels, seed=seed)
        self.queue_to_restore: EmbeddingQueueState | None = None
        super().__init__(model, optimization=optimization, tokenizer=tokenizer, evaluator=evaluator)
        self.model.temperature.requires_grad_(objective.contrastive)

    @property
    def needs_negatives(self) -> bool:
        config = self.objective.config
        return config.contrastive or config.matching is MatchingNegatives.HARD

    def idle_modules(self) -> Iterator[nn.Module]:
        config = self.objective.config
        if not config.contrastive:
            yield from super().idle_modules()
            yield self.model.contrastive_head
        if config.matching is MatchingNegatives.NONE:
            yield self.model.cross_modal_head
            yield self.model.matching_head
            yield from (module for module in self.backbone.modules() if isinstance(module, GatedCrossAttention))

    def losses(self, batch: RetrievalBatch) -> dict[str, Tensor]:
        if self.objective.config.contrastive:
            self.log("train/temperature", self.model.temperature, batch_size=len(batch))
        step = batch.first_draw // (len(batch) * world_size())
        return self.objective(self.model, retrieval_inputs(batch), step=step)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = self.objective.queue.state() if self.objective.queue else None
        if state is not None:
            checkpoint[QUEUE_KEY] = asdict(state)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.objective.queue and QUEUE_KEY in checkpoint:
            self.queue_to_restore = EmbeddingQueueState(**checkpoint[QUEUE_KEY])

    def on_train_start(self) -> None:
        super().on_train_start()
        if self.queue_to_restore is not None:
            assert self.objective.queue is not None
            self.objective.queue.restore(self.queue_to_restore, self.device)
            self.queue_to_restore = None


def retrieval_inputs(batch: RetrievalBatch) -> RetrievalInputs:
    """What the objective takes of a batch."""
    return RetrievalInputs(
        RawPairs(batch.image, batch.text_ids, batch.text_mask),
        batch.matches,
        torch.stack([batch.sample, batch.draw], dim=1),
    )
