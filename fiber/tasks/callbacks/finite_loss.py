"""Stops a run whose loss is no number, before hours are spent on it."""

from typing import Any

import pytorch_lightning as pl
import torch

from fiber.utils.errors import UserError


class FiniteLoss(pl.Callback):
    """Looks at the loss now and then: reading it makes the device wait.

    Args:
        every: optimiser steps between two looks.
    """

    def __init__(self, *, every: int) -> None:
        self.every = every

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % self.every == 0 and not torch.isfinite(outputs["loss"]):
            raise UserError(
                f"the loss is {float(outputs['loss'])} at step {trainer.global_step}: lower optimization.learning_rate "
                "or set optimization.gradient_clip, and start again from an earlier checkpoint."
            )
