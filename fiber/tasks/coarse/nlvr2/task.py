"""Fine-tuning for statements about two images."""

from collections.abc import Mapping

from torch import Tensor

from fiber.data.normalization import normalize_pixels
from fiber.data.statement_batch import StatementBatch
from fiber.models.visual_reasoning_model import FiberForVisualReasoning
from fiber.objectives.visual_reasoning import visual_reasoning_loss
from fiber.tasks.coarse.fine_tuning import FineTuning


class Nlvr2FineTuning(FineTuning):
    """Cross-entropy of true and false."""

    model: FiberForVisualReasoning

    def losses(self, batch: StatementBatch) -> Mapping[str, Tensor]:
        logits = self.model(normalize_pixels(batch.image), batch.text_ids, batch.text_mask)
        return {"nlvr2": visual_reasoning_loss(logits, batch.is_true)}
