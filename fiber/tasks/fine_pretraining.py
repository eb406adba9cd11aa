"""Training of the grounded detector as a Lightning module.

Axes: B images, H W pixels, K boxes, L text tokens.
"""

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from fiber.data.grounding_batch import EvaluationBatch, GroundingBatch
from fiber.data.normalization import normalize_pixels, zero_padding
from fiber.data.tokenization import TextTokenizer
from fiber.inference.grounding_predictor import GroundingPredictor
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.grounded_detector import GroundedDetector
from fiber.objectives.grounding import GroundingCriterion, ImageTargets
from fiber.tasks.box_pictures import BoxPrediction, draw_prediction, stack_pictures
from fiber.tasks.box_validation import BoxValidator, ImageResult
from fiber.tasks.freezing import freeze_image_stages
from fiber.tasks.optimizer import OptimizationConfig
from fiber.tasks.sharding import shard_detector
from fiber.tasks.task import TrainingTask
from fiber.utils.distributed import mean_over_processes

PICTURES_PER_SET = 4


class FinePretraining(TrainingTask):
    """Grounding and detection data alike: boxes and the words that name them.

    Logs `train/{loss,token_loss,box_loss,centerness_loss}` per step and, per validation,
    `val/grounding/recall_{1,5,10}` and `val/detection/{AP,AP50,...}`, over the whole split and all processes.

    Args:
        model: the network.
        criterion: how the losses are computed.
        optimization: optimiser, groups and schedule.
        tokenizer: of the texts.
        validators: one per validation set, in their order.
        frozen_stages: image stages, with the patch embedding, that are not trained; None trains everything.
    """

    model: GroundedDetector

    def __init__(
        self,
        model: GroundedDetector,
        *,
        criterion: GroundingCriterion,
        optimization: OptimizationConfig,
        tokenizer: TextTokenizer,
        validators: Sequence[BoxValidator],
        frozen_stages: int | None = None,
    ) -> None:
        super().__init__(model, optimization=optimization, tokenizer=tokenizer)
        self.criterion = criterion
        self.validators = list(validators)
        self.frozen_stages = frozen_stages
        freeze_image_stages(model.backbone, frozen_stages)
        self.predictions: list[BoxPrediction] = []

    @property
    def backbone(self) -> FusionBackbone:
        return self.model.backbone

    @property
    def monitored(self) -> str:
        """Recall of phrases if any are validated, else average precision."""
        names = [validator.name for validator in self.validators]
        return "val/grounding/recall_1" if "grounding" in names else "val/detection/AP"

    def shard(self, mesh: DeviceMesh) -> None:
        shard_detector(self.model, mesh)

    def training_step(self, batch: GroundingBatch, batch_index: int) -> Tensor:
        output = self.model(network_input(batch), batch.text_ids, batch.text_mask)
        losses = self.criterion(output, image_targets(batch))
        parts = mean_over_processes(torch.stack([losses.total(), *losses]))
        names = ("train/loss", "train/token_loss", "train/box_loss", "train/centerness_loss")
        self.log_dict(dict(zip(names, parts, strict=True)), batch_size=len(batch), prog_bar=True)
        return losses.total()

    def on_validation_epoch_start(self) -> None:
        self.predictions = []

    def validation_step(self, batch: EvaluationBatch, batch_index: int, dataloader_idx: int = 0) -> None:
        predictor = GroundingPredictor(self.model, self.tokenizer)
        found = self.validators[dataloader_idx].ask(predictor, network_input(batch), batch)
        if batch_index == 0:
            self.predictions += pictured(batch, found[:PICTURES_PER_SET])

    def on_validation_epoch_end(self) -> None:
        self.record_metrics(
            {
                f"val/{validator.name}/{name}": value
                for validator in self.validators
                for name, value in validator.metrics().items()
            }
        )

    def draw_predictions(self) -> Image.Image | None:
        return stack_pictures([draw_prediction(one) for one in self.predictions]) if self.predictions else None


def network_input(batch: GroundingBatch | EvaluationBatch) -> Tensor:
    """Normalised pixels with the mean colour as padding, float32 B 3 H W."""
    return zero_padding(normalize_pixels(batch.image), batch.sizes)


def image_targets(batch: GroundingBatch) -> list[ImageTargets]:
    """Boxes and their tokens image by image."""
    counts = list(batch.num_boxes)
    boxes, maps = torch.split(batch.boxes, counts), torch.split(batch.positive_map, counts)
    return [ImageTargets(*pair) for pair in zip(boxes, maps, strict=True)]


def pictured(batch: EvaluationBatch, found: Sequence[ImageResult]) -> list[BoxPrediction]:
    """The first images of a batch with what was found, in pixels of the network's input."""
    predictions = []
    for row, result in enumerate(found):
        (height, width), (original_height, original_width) = batch.sizes[row].tolist(), batch.original_sizes[row]
        x, y = width / original_width, height / original_height
        truths = tuple(
            truth._replace(box=(truth.box[0] * x, truth.box[1] * y, truth.box[2] * x, truth.box[3] * y))
            for truth in batch.truths[row]
        )
        image = batch.image[row, :, :height, :width].cpu()
        detections = result.detections.scaled(x, y)
        predictions.append(BoxPrediction(image, result.names, truths, detections, batch.prompts[row]))
    return predictions
