"""A trained model on a split, as a Lightning module."""

from typing import Any

import pytorch_lightning as pl
from torch import nn

from fiber.tasks.split_evaluator import EvaluationResult, Evaluator


class EvaluationModule(pl.LightningModule):
    """Hands batches to an evaluator.

    Args:
        model: in evaluation mode.
        evaluator: of the split.
    """

    def __init__(self, model: nn.Module, evaluator: Evaluator) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        self.evaluator = evaluator
        self.result: EvaluationResult | None = None

    def validation_step(self, batch: Any, batch_index: int, dataloader_idx: int = 0) -> None:
        self.evaluator.add(self.model, batch, number=dataloader_idx)

    def on_validation_epoch_end(self) -> None:
        self.result = self.evaluator.finish()
