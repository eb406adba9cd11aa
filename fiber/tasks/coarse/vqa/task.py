"""Question answering as a Lightning module."""

import logging
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from fiber.data.normalization import normalize_pixels
from fiber.data.question_batch import QuestionBatch
from fiber.models.question_answering_model import FiberForQuestionAnswering
from fiber.objectives.question_answering import question_answering_loss
from fiber.tasks.coarse.fine_tuning import FineTuning

log = logging.getLogger(__name__)


class VqaFineTuning(FineTuning):
    """Answers as a choice from a vocabulary, learned from soft labels. Logs `train/vqa_loss`.

    Args:
        model: the network.
        notices: what to say once before training starts.
        arguments: of `FineTuning`.
    """

    model: FiberForQuestionAnswering

    def __init__(self, model: FiberForQuestionAnswering, *, notices: Sequence[str] = (), **arguments: Any) -> None:
        super().__init__(model, **arguments)
        self.notices = notices

    def on_fit_start(self) -> None:
        if self.trainer.is_global_zero:
            for notice in self.notices:
                log.info(notice)

    def losses(self, batch: QuestionBatch) -> dict[str, Tensor]:
        logits = self.model(normalize_pixels(batch.image), batch.text_ids, batch.text_mask)  # B A
        return {"vqa": question_answering_loss(logits, batch.targets)}
