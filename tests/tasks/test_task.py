"""What the run around a task makes of its validations."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.utils.data import DataLoader

from fiber.models.fusion_backbone import FusionBackbone
from fiber.tasks.coarse.parameter_groups import Kind
from fiber.tasks.optimizer import OptimizationConfig
from fiber.tasks.parameter_groups import GroupRules, ParameterGroup
from fiber.tasks.schedules import Decay, ScheduleConfig
from fiber.tasks.task import TrainingTask

NUM_STEPS = 40
PLATEAU = ScheduleConfig(decay=Decay.PLATEAU, warmup=0, patience=1, stop_patience=4)
FOUND = (0.0, 0.3, 0.2, 0.2, 0.2, 0.2, 0.5, 0.5, 0.5, 0.5)
"""Metric of the validation after every second step: the rate drops at the fourth and sixth, which ends the run."""


class OneGroup(GroupRules):
    """Everything alike."""

    def groups(self, model: nn.Module) -> dict[str, ParameterGroup]:
        return {name: ParameterGroup(next(iter(Kind)), 1.0, 0.0) for name, _ in model.named_parameters()}


class Task(TrainingTask):
    """Finds what it is told to."""

    def __init__(self, found: Sequence[float], schedule: ScheduleConfig = PLATEAU) -> None:
        torch.manual_seed(0)
        optimization = OptimizationConfig(
            learning_rate=0.1, batch_size=1, max_steps=NUM_STEPS, groups=OneGroup(), schedule=schedule
        )
        super().__init__(nn.Linear(2, 1), optimization=optimization, tokenizer=None)  # type: ignore[arg-type]
        self.found = list(found)
        self.rates: list[float] = []

    @property
    def backbone(self) -> FusionBackbone:
        raise NotImplementedError

    @property
    def monitored(self) -> str:
        return "val/score"

    def shard(self, mesh: DeviceMesh) -> None:
        raise NotImplementedError

    def draw_predictions(self) -> Image.Image | None:
        return None

    def training_step(self, batch: Tensor, batch_index: int) -> Tensor:
        self.rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
        loss: Tensor = self.model(batch).square().mean()
        return loss

    def validation_step(self, batch: Tensor, batch_index: int) -> None:
        """Nothing to find."""

    def on_validation_epoch_end(self) -> None:
        score = np.float64(self.found[self.trainer.global_step // 2 - 1])
        self.record_metrics({"val/other": 1.0, "val/score": score})


class Saved(Checkpoint):
    """Writes a checkpoint after the validation of a step."""

    def __init__(self, path: Path, step: int) -> None:
        self.path, self.step = path, step

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


def loader() -> DataLoader[Any]:
    return DataLoader(torch.ones(6, 2), batch_size=1)  # type: ignore[arg-type]


def fit(task: Task, folder: Path, *, callback: pl.Callback | None = None, resume: Path | None = None) -> pl.Trainer:
    trainer = pl.Trainer(
        max_steps=NUM_STEPS,
        val_check_interval=2,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        accelerator="cpu",
        logger=False,
        callbacks=callback,
        enable_checkpointing=callback is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.fit(task, loader(), loader(), ckpt_path=resume, weights_only=True)
    return trainer


@pytest.mark.filterwarnings("ignore")
def test_validations_lower_the_rate_and_end_the_run(tmp_path: Path) -> None:
    task = Task(FOUND)
    trainer = fit(task, tmp_path)
    assert (trainer.global_step, task.validated_step) == (12, 12)
    assert task.rates == pytest.approx([0.1] * 8 + [0.01] * 4)
    assert task.schedule.plateau is not None
    assert task.schedule.plateau.factor == pytest.approx(0.01)
    assert task.metrics["val/score"] == 0.2


@pytest.mark.filterwarnings("ignore")
def test_other_decays_run_to_their_last_step(tmp_path: Path) -> None:
    task = Task((0.3, *[0.0] * 30), ScheduleConfig(power=0, warmup=0))
    assert fit(task, tmp_path).global_step == NUM_STEPS
    assert task.rates == pytest.approx([0.1] * NUM_STEPS)


@pytest.mark.filterwarnings("ignore")
def test_a_validation_outside_the_fit_is_not_counted(tmp_path: Path) -> None:
    task = Task(FOUND)
    trainer = fit(task, tmp_path)
    assert task.schedule.plateau is not None
    before = task.schedule.plateau.state()
    trainer.validate(task, loader(), verbose=False)
    assert task.schedule.plateau.state() == before


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("interrupted", [4, 8, 10])
def test_a_run_resumed_after_a_validation_ends_where_it_would_have(tmp_path: Path, interrupted: int) -> None:
    whole = Task(FOUND)
    path = tmp_path / "saved.ckpt"
    fit(whole, tmp_path, callback=Saved(path, interrupted))
    resumed = Task(FOUND)
    assert fit(resumed, tmp_path, resume=path).global_step == 12
    assert resumed.rates == pytest.approx(whole.rates[interrupted:])


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_has_ended_is_not_trained_further_when_resumed(tmp_path: Path) -> None:
    path = tmp_path / "saved.ckpt"
    fit(Task(FOUND), tmp_path, callback=Saved(path, 12))
    resumed = Task(FOUND)
    assert fit(resumed, tmp_path, resume=path).global_step == 12
    assert resumed.rates == []


class FusedTask(Task):
    """With the optimiser of a GPU."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=0.1, fused=True)

    def on_train_start(self) -> None:
        """There is no schedule to ask."""

    def on_train_batch_end(self, *_: Any) -> None:
        self.norms = [parameter.grad.norm() for parameter in self.parameters() if parameter.grad is not None]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
def test_gradients_of_a_fused_optimizer_are_clipped(tmp_path: Path, precision: Any) -> None:
    task = FusedTask(())
    torch.nn.init.constant_(task.model.bias, 100.0)
    trainer = pl.Trainer(
        max_steps=1,
        gradient_clip_val=0.5,
        precision=precision,
        limit_val_batches=0,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(task, loader())
    assert float(torch.stack(task.norms).norm()) == pytest.approx(0.5, rel=1e-3)
