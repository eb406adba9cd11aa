"""Names broken images in the log and stops a run that meets too many."""

import logging
from typing import Any

import pytorch_lightning as pl

from fiber.data.batch import PairBatch
from fiber.data.broken_images import BrokenImageLog
from fiber.data.grounding_batch import GroundingBatch

log = logging.getLogger(__name__)


class BrokenImageMonitor(pl.Callback):
    """Feeds every training batch to a `BrokenImageLog`; each process watches its own part.

    Args:
        max_share: broken images over samples above which the run stops.
    """

    def __init__(self, *, max_share: float) -> None:
        self.broken = BrokenImageLog(max_share)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: PairBatch | GroundingBatch, batch_idx: int
    ) -> None:
        for location in self.broken.add(len(batch), batch.broken):
            log.warning("passed over a broken image: %s", location)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.broken.check()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.broken.check()
        if self.broken.locations:
            log.warning("passed over %d broken images in %d samples", self.broken.num_broken, self.broken.num_samples)

    def state_dict(self) -> dict[str, Any]:
        counts = {"num_samples": self.broken.num_samples, "num_broken": self.broken.num_broken}
        return counts | {"locations": list(self.broken.locations)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.broken.num_samples, self.broken.num_broken = state_dict["num_samples"], state_dict["num_broken"]
        self.broken.locations = dict.fromkeys(state_dict["locations"])
