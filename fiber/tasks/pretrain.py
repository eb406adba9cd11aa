"""Coarse pre-training as a Lightning module.

Axes: B pairs, L text tokens, P embedding width.
"""

from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor

from fiber.data.batch import PairBatch, SampleKey
from fiber.data.normalization import normalize_pixels
from fiber.data.pair_data_module import PairDataModule
from fiber.evaluation.pretraining import EvaluationInputs, PairEvaluation, Tally, evaluate_pairs, zero_shot_recall
from fiber.models.pretraining_model import FiberForPretraining, PairEmbeddings
from fiber.objectives.pairs import EmbeddedPairs, RawPairs
from fiber.objectives.passes import PretrainingInputs
from fiber.objectives.pretraining import PretrainingObjective, PretrainingObjectiveConfig
from fiber.objectives.queue import QueueState
from fiber.tasks.optimizer import OptimizationConfig, configure_optimizer
from fiber.utils.distributed import is_distributed, mean_over_processes

QUEUE_KEY = "pair_queue"


class PretrainTask(pl.LightningModule):
    """MLM, ITC and ITM on image-text pairs.

    Logs `train/{loss,mlm_loss,itc_loss,itm_loss,temperature}` per step and, per validation,
    `val/{mlm,itc,itm}/loss`, `val/mlm/accuracy`, `val/mlm/accuracy_shuffled_images`, `val/itm/accuracy` and
    `val/retrieval/*`, all over the whole split and all processes.

    Args:
        model: the network, which knows nothing of training.
        objective: how the losses are computed.
        optimization: optimiser, groups and schedule.
        seed: of the draws of negatives.
    """

    def __init__(
        self,
        model: FiberForPretraining,
        *,
        objective: PretrainingObjectiveConfig,
        optimization: OptimizationConfig,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.optimization = optimization
        self.seed = seed
        self.objective = PretrainingObjective(objective, normalize=normalize_pixels, seed=seed)
        self.evaluations: list[tuple[PairEvaluation, Tensor]] = []
        self.queue_to_restore: QueueState | None = None

    def configure_optimizers(self) -> Any:
        return configure_optimizer(self.model, self.optimization)

    def training_step(self, batch: PairBatch, batch_index: int) -> Tensor:
        step = self.trainer.fit_loop.total_batch_idx
        losses = self.objective(self.model, pretraining_inputs(batch), step=step).losses
        parts = mean_over_processes(torch.stack([losses.total(), *losses]))
        names = ("train/loss", "train/mlm_loss", "train/itc_loss", "train/itm_loss")
        self.log_dict(dict(zip(names, parts, strict=True)), batch_size=len(batch), prog_bar=True)
        self.log("train/temperature", self.model.temperature, batch_size=len(batch))
        return losses.total()

    def validation_step(self, batch: PairBatch, batch_index: int) -> PairEvaluation:
        evaluation = evaluate_pairs(self.model, evaluation_inputs(batch), seed=self.seed, step=batch_index)
        self.evaluations.append((evaluation, batch.image_index))
        return evaluation

    def on_validation_epoch_end(self) -> None:
        tallies = sum_tallies([evaluation for evaluation, _ in self.evaluations])
        metrics = {name: (tally.total / tally.count.clamp(min=1)).item() for name, tally in tallies.items()}
        image = gather_uneven(torch.cat([evaluation.embeddings.image for evaluation, _ in self.evaluations]))
        text = gather_uneven(torch.cat([evaluation.embeddings.text for evaluation, _ in self.evaluations]))
        image_index = gather_uneven(torch.cat([index for _, index in self.evaluations]))
        recall = zero_shot_recall(PairEmbeddings(image, text), image_index)
        metrics |= {f"retrieval/{name}": value for name, value in recall.items()}
        self.evaluations.clear()
        self.log_dict({f"val/{name}": value for name, value in metrics.items()})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = self.objective.queue.state() if self.objective.queue else None
        if state is not None:
            checkpoint[QUEUE_KEY] = asdict(state)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.objective.queue and QUEUE_KEY in checkpoint:
            self.queue_to_restore = QueueState(**checkpoint[QUEUE_KEY])

    def on_train_start(self) -> None:
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
        torch.stack([batch.index, batch.draw], dim=1),
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


def sum_tallies(evaluations: list[PairEvaluation]) -> dict[str, Tally]:
    """Sums over batches and processes, by metric name."""
    batches = [evaluation.tallies() for evaluation in evaluations]
    summed = {}
    for name in batches[0]:
        pair = torch.stack([torch.stack([batch[name].total, batch[name].count]).double() for batch in batches]).sum(0)
        if is_distributed():
            dist.all_reduce(pair)
        summed[name] = Tally(pair[0], pair[1])
    return summed


def gather_uneven(tensor: Tensor) -> Tensor:
    """Rows of all processes, which may hold different numbers of them."""
    if not is_distributed():
        return tensor
    parts: list[Tensor] = [tensor] * dist.get_world_size()
    dist.all_gather_object(parts, tensor.cpu())
    return torch.cat([part.to(tensor.device) for part in parts])
