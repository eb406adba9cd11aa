"""Training of the grounded detector as a Lightning module.

Axes: B images, K boxes, L text tokens.
"""

import logging
from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from fiber.data.grounding_batch import EvaluationBatch, GroundingBatch
from fiber.data.tokenization import TextTokenizer
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.grounded_detector import GroundedDetector
from fiber.objectives.grounding import GroundingCriterion, ImageTargets
from fiber.tasks.fine.boxes.asking import network_input
from fiber.tasks.fine.boxes.pictures import stack_rows
from fiber.tasks.optimizer import OptimizationConfig
from fiber.tasks.sharding import shard_detector
from fiber.tasks.split_evaluator import Evaluator
from fiber.tasks.task import TrainingTask
from fiber.utils.distributed import mean_over_processes

log = logging.getLogger(__name__)


class DetectorTraining(TrainingTask):
    """Boxes and the words that name them, whatever the data: pre-training and every task of the fine stage.

    Logs `train/{loss,token_loss,box_loss,centerness_loss}` per step and what the evaluators find under `val/`.

    Args:
        model: the network, its parameters frozen as wanted.
        criterion: how the losses are computed.
        optimization: optimiser, groups and schedule.
        tokenizer: of the texts.
        evaluators: one per validation set, in their order.
        monitored: the metric by which the best model is chosen.
        warnings: what to say once before training starts.
    """

    model: GroundedDetector

    def __init__(
        self,
        model: GroundedDetector,
        *,
        criterion: GroundingCriterion,
        optimization: OptimizationConfig,
        tokenizer: TextTokenizer,
        evaluators: Sequence[Evaluator],
        monitored: str,
        warnings: Sequence[str] = (),
    ) -> None:
        super().__init__(model, optimization=optimization, tokenizer=tokenizer)
        self.criterion = criterion
        self.evaluators = list(evaluators)
        self.monitored_metric = monitored
        self.warnings = warnings

    @property
    def backbone(self) -> FusionBackbone:
        return self.model.backbone

    @property
    def monitored(self) -> str:
        return self.monitored_metric

    def shard(self, mesh: DeviceMesh) -> None:
        shard_detector(self.model, mesh)

    def on_fit_start(self) -> None:
        if self.trainer.is_global_zero:
            for warning in self.warnings:
                log.warning(warning)

    def training_step(self, batch: GroundingBatch, batch_index: int) -> Tensor:
        output = self.model(network_input(batch), batch.text_ids, batch.text_mask)
        losses = self.criterion(output, image_targets(batch))
        parts = mean_over_processes(torch.stack([losses.total(), *losses]))
        names = ("train/loss", "train/token_loss", "train/box_loss", "train/centerness_loss")
        self.log_dict(dict(zip(names, parts, strict=True)), batch_size=len(batch), prog_bar=True)
        return losses.total()

    def validation_step(self, batch: EvaluationBatch, batch_index: int, dataloader_idx: int = 0) -> None:
        self.evaluators[dataloader_idx].add(self.model, batch, number=0)

    def on_validation_epoch_end(self) -> None:
        results = [evaluator.finish(files=False) for evaluator in self.evaluators]
        self.record_metrics({f"val/{name}": value for one in results for name, value in one.metrics.items()})

    def draw_predictions(self) -> Image.Image | None:
        pictures = [picture for evaluator in self.evaluators if (picture := evaluator.picture()) is not None]
        return stack_rows(pictures) if pictures else None


def image_targets(batch: GroundingBatch) -> list[ImageTargets]:
    """Boxes and their tokens image by image."""
    counts = list(batch.num_boxes)
    boxes, maps = torch.split(batch.boxes, counts), torch.split(batch.positive_map, counts)
    return [ImageTargets(*pair) for pair in zip(boxes, maps, strict=True)]
