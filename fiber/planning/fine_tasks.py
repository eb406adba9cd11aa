"""The tasks of the fine stage without their data: one detector for all."""

from torch import Tensor

from fiber.checkpoints.model_configs import build_detector_config
from fiber.data.grounding_batch import GroundingBatch
from fiber.models.grounded_detector import GroundedDetector
from fiber.objectives.grounding import GroundingCriterion, GroundingCriterionConfig
from fiber.planning.planned_task import PlannedTask, any_tokenizer
from fiber.planning.workload import Workload, grounding_batch
from fiber.tasks.fine.boxes.asking import network_input
from fiber.tasks.fine.building import settle_detector
from fiber.tasks.fine.detector_training import DetectorTraining, image_targets
from fiber.tasks.fine.freezing import freeze_image_stages
from fiber.tasks.fine.tuning import Tuning, restrict_training
from fiber.tasks.optimizer import FineOptimizationConfig
from fiber.utils.configs import build_dataclass, convert, plain


class PlannedDetection(PlannedTask):
    """Pre-training or fine-tuning of the detector."""

    optimization_kind = FineOptimizationConfig
    training: DetectorTraining

    def build(self) -> DetectorTraining:
        tuning = convert(Tuning, self.config.get("tuning", Tuning.FULL), "tuning")
        settle_detector(self.config, None, tuning)
        detector = build_detector_config(self.config, vocab_size=self.sizes.vocab_size)
        model = GroundedDetector(detector)
        freeze_image_stages(model.backbone, self.config.frozen_stages)
        restrict_training(model, tuning)
        criterion = build_dataclass(GroundingCriterionConfig, plain(self.config.objective), "objective")
        return DetectorTraining(
            model,
            criterion=GroundingCriterion(detector, criterion),
            optimization=self.optimization,
            tokenizer=any_tokenizer(),
            evaluators=[],
            monitored="nothing",
        )

    def batch(self, load: Workload) -> GroundingBatch:
        return grounding_batch(load, self.sizes.vocab_size)

    def loss(self, batch: GroundingBatch) -> Tensor:
        output = self.training.model(network_input(batch), batch.text_ids, batch.text_mask)
        return self.training.criterion(output, image_targets(batch)).total()
