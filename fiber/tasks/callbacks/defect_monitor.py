"""Names annotations that training passes over, and counts them."""

import logging
from typing import Any

import pytorch_lightning as pl

from fiber.data.defects import DefectLog
from fiber.data.grounding_batch import GroundingBatch

log = logging.getLogger(__name__)


class DefectMonitor(pl.Callback):
    """Feeds every training batch with boxes to a `DefectLog`; each process watches its own part."""

    def __init__(self) -> None:
        self.defects = DefectLog()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if isinstance(batch, GroundingBatch):
            for defect in self.defects.add(batch.defects):
                log.warning("passed over %s: %s", defect.kind, defect.location)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if summary := self.defects.summary():
            log.warning("passed over in all: %s", summary)

    def state_dict(self) -> dict[str, Any]:
        return self.defects.state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.defects.restore(state_dict)
