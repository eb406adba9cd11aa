"""How far an evaluation has come."""

import time
from collections.abc import Sized
from typing import Any

import pytorch_lightning as pl
from rich.console import Console

from fiber.tasks.callbacks.progress import clock

SECONDS_BETWEEN_LINES = 10.0


class EvaluationProgress(pl.Callback):
    """A line now and then: samples judged, speed, time to go. Speed and time are those of the current pass."""

    def __init__(self) -> None:
        self.console = Console()
        self.number = -1
        self.started = self.last_line = time.perf_counter()
        self.judged = 0

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if dataloader_idx != self.number:
            self.number, self.judged = dataloader_idx, 0
            self.started = time.perf_counter()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Sized,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        now = time.perf_counter()
        self.judged += len(batch) * trainer.world_size
        if trainer.is_global_zero and now - self.last_line > SECONDS_BETWEEN_LINES:
            self.last_line = now
            self.console.print(self.line(trainer, batch_idx + 1, now), highlight=False, soft_wrap=True)

    def line(self, trainer: pl.Trainer, batches: int, now: float) -> str:
        """The figures so far."""
        total = trainer.num_val_batches[self.number]
        seconds = now - self.started
        passes = len(trainer.num_val_batches)
        parts = [
            f"pass {self.number + 1}/{passes}" if passes > 1 else "",
            f"batch {batches}/{total}",
            f"{self.judged / max(seconds, 1e-9):.1f} samples/s",
            f"to go {clock(seconds / batches * (int(total) - batches))}",
        ]
        return "  ".join(part for part in parts if part)
