"""Sample predictions on disk, for people to look at."""

from pathlib import Path

import pytorch_lightning as pl

from fiber.tasks.task import TrainingTask


class PredictionPictures(pl.Callback):
    """Draws the task's sample predictions after every validation into one PNG.

    Args:
        path: of the picture, written again each time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, TrainingTask)
        if not trainer.is_global_zero or trainer.sanity_checking:
            return
        picture = pl_module.draw_predictions()
        if picture is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(self.path)
