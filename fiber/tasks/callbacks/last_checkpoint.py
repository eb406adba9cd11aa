"""Keeps the newest state of a run on disk."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint


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
        if trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps:
            self.save(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.save(trainer)  # a run may end early

    def save(self, trainer: pl.Trainer) -> None:
        """Write the checkpoint unless it is of this step already."""
        step = trainer.global_step
        if step != self.saved_step:  # accumulation leaves the step as it is
            self.saved_step = step
            trainer.save_checkpoint(self.path)
