"""What a person watching a run wants to know: speed, waiting, memory, time to go."""

import resource
import sys
import time
from collections.abc import Sized
from typing import Any

import pytorch_lightning as pl
import torch
from rich.console import Console
from rich.live import Live
from rich.text import Text


class TrainingProgress(pl.Callback):
    """One line of figures, kept up to date on a terminal and printed every `log_every` steps elsewhere.

    Speed and data wait are of the time since the last line; waiting is the share of it without a batch to work on.

    Args:
        log_every: optimiser steps between two lines.
        console: where to print.
    """

    def __init__(self, *, log_every: int, console: Console | None = None) -> None:
        self.log_every = log_every
        self.console = console or Console()
        self.live: Live | None = None
        self.fit_seconds = 0.0
        """Seconds of training, validations left out."""
        self.total_samples = 0
        self.first_step = 0
        self.reset_window()
        self.batch_ended = time.perf_counter()
        self.line_step = -1

    def reset_window(self) -> None:
        self.window_seconds = self.waiting_seconds = 0.0
        self.window_samples = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.first_step = trainer.global_step
        self.batch_ended = time.perf_counter()
        if self.console.is_terminal and trainer.is_global_zero:
            self.live = Live(console=self.console, refresh_per_second=4, transient=True)
            self.live.start()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.batch_started = time.perf_counter()
        self.waiting_seconds += self.batch_started - self.batch_ended

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Sized, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        elapsed = now - self.batch_ended
        self.batch_ended = now
        self.fit_seconds += elapsed
        self.window_seconds += elapsed
        samples = len(batch) * trainer.world_size
        self.window_samples += samples
        self.total_samples += samples
        step = trainer.global_step
        if trainer.is_global_zero and step and step % self.log_every == 0 and step != self.line_step:
            self.line_step = step
            self.show(trainer)
            self.reset_window()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.batch_ended = time.perf_counter()  # a validation is neither training nor waiting

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.close()

    def close(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def show(self, trainer: pl.Trainer) -> None:
        line = self.line(trainer)
        if self.live is not None:
            self.live.update(Text(line))
        else:
            self.console.print(line, highlight=False, soft_wrap=True)

    def line(self, trainer: pl.Trainer) -> str:
        """The figures of the time since the last line."""
        step, last = trainer.global_step, trainer.max_steps
        seconds_per_step = self.fit_seconds / max(1, step - self.first_step)
        loss = trainer.callback_metrics.get("train/loss")
        parts = [
            f"step {step}/{last}",
            f"loss {loss:.3f}" if loss is not None else "",
            f"{self.window_samples / self.window_seconds:.0f} samples/s",
            f"data wait {self.waiting_seconds / self.window_seconds:.0%}",
            f"memory {memory_gib(trainer.strategy.root_device):.1f} GiB",
            f"to go {clock((last - step) * seconds_per_step)}",
        ]
        return "  ".join(part for part in parts if part)


def memory_gib(device: torch.device) -> float:
    """Peak memory so far: of the allocator on a GPU, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
