"""Keeps the model that was best in validation."""

from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from fiber.checkpoints.run_folder import BEST


class BestCheckpoint(ModelCheckpoint):
    """`best.ckpt` of a run; more is better.

    A run that is resumed from a checkpoint older than `best.ckpt` still compares with the latter.

    Args:
        folder: of the checkpoints.
        monitored: the metric.
    """

    def __init__(self, folder: Path, *, monitored: str) -> None:
        super().__init__(folder, Path(BEST).stem, monitor=monitored, mode="max", enable_version_counter=False)
        self.file = folder / BEST

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        if trainer.ckpt_path is None or not self.file.is_file():
            return
        callbacks = torch.load(self.file, map_location="cpu", weights_only=True, mmap=True)["callbacks"]
        state = callbacks.get(self.state_key)
        known = self.best_model_score
        if state and state["best_model_score"] is not None and (known is None or state["best_model_score"] > known):
            self.load_state_dict(state)
