"""Whether a run whose loss is no number ends."""

from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from fiber.tasks.callbacks.finite_loss import FiniteLoss
from fiber.utils.errors import UserError


class Diverging(pl.LightningModule):
    """Its loss is `broken` from a step on."""

    def __init__(self, broken: float, *, at: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.broken, self.at = broken, at

    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        return self.weight.sum() + (self.broken if self.global_step + 1 >= self.at else 1.0)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(task: pl.LightningModule, *, every: int) -> None:
    options: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = pl.Trainer(max_steps=8, accelerator="cpu", callbacks=[FiniteLoss(every=every)], **options)
    trainer.fit(task, DataLoader(torch.zeros(8, 1), batch_size=1))  # type: ignore[arg-type]


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_no_number_ends_the_run_with_a_way_out(broken: float) -> None:
    message = f"the loss is {broken} at step 3: lower optimization.learning_rate or set optimization.gradient_clip"
    with pytest.raises(UserError, match=message):
        fit(Diverging(broken, at=3), every=1)


def test_the_loss_is_looked_at_every_so_many_steps() -> None:
    with pytest.raises(UserError, match="at step 4:"):
        fit(Diverging(float("nan"), at=2), every=4)


def test_a_finite_loss_is_left_alone() -> None:
    fit(Diverging(1e30, at=2), every=1)
