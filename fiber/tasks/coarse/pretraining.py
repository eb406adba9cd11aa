"""Coarse pre-training as a Lightning module.

Axes: B pairs, L text tokens, P embedding width.
"""

from dataclasses import asdict
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from fiber.data.batch import PairBatch, SampleKey
from fiber.data.normalization import normalize_pixels
from fiber.data.pair_data_module import PairDataModule
from fiber.data.tokenization import TextTokenizer
from fiber.evaluation.pretraining import EvaluationInputs, evaluate_pairs, zero_shot_recall
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.pair_model import PairEmbeddings
from fiber.models.pretraining_model import FiberForPretraining
from fiber.objectives.pairs import EmbeddedPairs, RawPairs
from fiber.objectives.passes import PretrainingInputs
from fiber.objectives.pretraining import PretrainingObjective, PretrainingObjectiveConfig
from fiber.objectives.queue import QueueState
from fiber.tasks.coarse.pair_pictures import PairPrediction, draw_pairs
from fiber.tasks.coarse.pair_predictions import ValidationBatch, predict_pairs
from fiber.tasks.coarse.validation_sums import gather_uneven, mean_metrics
from fiber.tasks.optimizer import OptimizationConfig
from fiber.tasks.sharding import shard_task_model
from fiber.tasks.task import TrainingTask
from fiber.utils.distributed import mean_over_processes

QUEUE_KEY = "pair_queue"


class CoarsePretraining(TrainingTask):
    """MLM, ITC and ITM on image-text pairs.

    Logs `train/{loss,mlm_loss,itc_loss,itm_loss,temperature}` per step and, per validation,
    `val/{mlm,itc,itm}/loss`, `val/mlm/accuracy`, `val/mlm/accuracy_shuffled_images`, `val/itm/accuracy` and
    `val/retrieval/*`, all over the whole split and all processes.

    Args:
        model: the network.
        objective: how the losses are computed.
        optimization: optimiser, groups and schedule.
        tokenizer: turns predicted tokens into words.
        seed: of the draws of negatives.
    """

    model: FiberForPretraining

    def __init__(
        self,
        model: FiberForPretraining,
        *,
        objective: PretrainingObjectiveConfig,
        optimization: OptimizationConfig,
        tokenizer: TextTokenizer,
        seed: int = 0,
    ) -> None:
        super().__init__(model, optimization=optimization, tokenizer=tokenizer)
        self.seed = seed
        self.objective = PretrainingObjective(objective, normalize=normalize_pixels, seed=seed)
        self.first_batch: PairBatch | None = None
        self.validation: list[ValidationBatch] = []
        self.predictions: list[PairPrediction] = []
        """Of a few pairs of the last validation, for people to look at."""
        self.queue_to_restore: QueueState | None = None

    @property
    def backbone(self) -> FusionBackbone:
        return self.model.backbone

    @property
    def monitored(self) -> str:
        """Mean recall at rank 1 of both directions on the validation split."""
        return "val/retrieval/mean_recall_1"

    @property
    def needs_negatives(self) -> bool:
        return True

    def shard(self, mesh: DeviceMesh) -> None:
        shard_task_model(self.model, mesh)

    def draw_predictions(self) -> Image.Image | None:
        return draw_pairs(self.predictions) if self.predictions else None

    def training_step(self, batch: PairBatch, batch_index: int) -> Tensor:
        step = self.current_epoch * int(self.trainer.num_training_batches) + batch_index
        losses = self.objective(self.model, pretraining_inputs(batch), step=step).losses
        parts = mean_over_processes(torch.stack([losses.total(), *losses]))
        names = ("train/loss", "train/mlm_loss", "train/itc_loss", "train/itm_loss")
        self.log_dict(dict(zip(names, parts, strict=True)), batch_size=len(batch), prog_bar=True)
        self.log("train/temperature", self.model.temperature, batch_size=len(batch))
        return losses.total()

    def validation_step(self, batch: PairBatch, batch_index: int) -> None:
        step = batch_index * self.trainer.world_size + self.trainer.global_rank  # the batch's place in the split
        evaluation = evaluate_pairs(self.model, evaluation_inputs(batch), seed=self.seed, step=step)
        self.first_batch = self.first_batch or batch
        self.validation.append(ValidationBatch(batch.captions, batch.image_index, evaluation))

    def on_validation_epoch_end(self) -> None:
        evaluations = [one.evaluation for one in self.validation]
        embeddings = PairEmbeddings(
            gather_uneven([one.embeddings.image for one in evaluations]),
            gather_uneven([one.embeddings.text for one in evaluations]),
        )
        recall = zero_shot_recall(embeddings, gather_uneven([one.image_index for one in self.validation]))
        metrics = mean_metrics(evaluations, self.device) | {f"retrieval/{name}": recall[name] for name in recall}
        self.record_metrics({f"val/{name}": value for name, value in metrics.items()})
        if self.first_batch is not None:
            self.predictions = predict_pairs(self.first_batch, self.validation, self.tokenizer)
        self.first_batch = None
        self.validation.clear()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = self.objective.queue.state() if self.objective.queue else None
        if state is not None:
            checkpoint[QUEUE_KEY] = asdict(state)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.objective.queue and QUEUE_KEY in checkpoint:
            self.queue_to_restore = QueueState(**checkpoint[QUEUE_KEY])

    def on_train_start(self) -> None:
        super().on_train_start()
        if self.queue_to_restore is not None:
            self.refill_queue(self.queue_to_restore)
            self.queue_to_restore = None

    def refill_queue(self, state: QueueState) -> None:
        """Read the queue's raw inputs again from the training data, which checkpoints leave out."""
        data_module: PairDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
        keys = [SampleKey(index, draw) for index, draw in state.sample_key.tolist()]
        batches = list(data_module.load_pairs(keys))
        pairs = EmbeddedPairs(
            RawPairs(
                torch.cat([batch.image for batch in batches]),
                torch.cat([batch.text_ids for batch in batches]),
                torch.cat([batch.text_mask for batch in batches]),
            ),
            state.image_embedding,
            state.text_embedding,
            state.sample_key,
        )
        assert self.objective.queue is not None
        self.objective.queue.restore(state, pairs.from_tensors(tuple(t.to(self.device) for t in pairs.tensors())))


def pretraining_inputs(batch: PairBatch) -> PretrainingInputs:
    """What the objective takes of a batch."""
    return PretrainingInputs(
        RawPairs(batch.image, batch.text_ids, batch.text_mask),
        batch.masked_ids,
        batch.masked_labels,
        torch.stack([batch.sample, batch.draw], dim=1),
    )


def evaluation_inputs(batch: PairBatch) -> EvaluationInputs:
    """What the evaluation takes of a batch."""
    return EvaluationInputs(
        normalize_pixels(batch.image),
        batch.text_ids,
        batch.text_mask,
        batch.masked_ids,
        batch.masked_labels,
        batch.content_mask,
    )
