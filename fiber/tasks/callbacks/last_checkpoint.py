"""Keeps the newest state of a run on disk."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.trainer.states import TrainerFn


class LastCheckpoint(Checkpoint):
    """Writes one checkpoint over and over, and at the end.

    Lightning writes a file beside it first and moves it into place: a run killed at any moment leaves a whole one.

    Args:
        path: of the checkpoint.
        every: optimiser steps between two writes.
    """

    def __init__(self, path: Path, *, every: int) -> None:
        self.path = path
        self.every = every
        self.saved_step = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        due = step % self.every == 0 or step == trainer.max_steps
        if due and step != self.saved_step:  # accumulation leaves the step as it is
            self.save(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # A validation that ends the run must be known to whoever resumes it. After others the checkpoint stays as it
        # was: Lightning resumes one that was written within a validation a step too late.
        if trainer.state.fn == TrainerFn.FITTING and trainer.should_stop:
            self.save(trainer)

    def save(self, trainer: pl.Trainer) -> None:
        """Write the checkpoint."""
        self.saved_step = trainer.global_step
        trainer.save_checkpoint(self.path)
