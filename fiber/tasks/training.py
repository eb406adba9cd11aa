"""One training run from its configuration."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from rich.table import Table

from fiber.checkpoints.initialization import InitializationReport
from fiber.checkpoints.run_folder import CONFIG_FILE, TOKENIZER_FOLDER
from fiber.data.data_module import TrainingDataModule
from fiber.tasks import coarse_building, fine_building
from fiber.tasks.acceleration import checkpoint_activations, compile_backbone
from fiber.tasks.building import RunParts
from fiber.tasks.callbacks.progress import TrainingProgress
from fiber.tasks.coarse_building import build_coarse_pretraining
from fiber.tasks.fine_building import build_fine_pretraining
from fiber.tasks.optimizer import OptimizationConfig
from fiber.tasks.parameter_groups import summarize_groups
from fiber.tasks.resuming import find_checkpoint, read_position
from fiber.tasks.task import TrainingTask
from fiber.tasks.trainer import best_checkpoint, build_trainer
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass, plain


def train(config: DictConfig) -> dict[str, float]:
    """Train, validate, and write everything to the run directory.

    Args:
        config: composed from `configs/train.yaml`.

    Returns:
        The content of `metrics.json`: `<split>/<task>/<metric>` and the run's `train/*`.

    Raises:
        UserError: anything in the configuration, the data or the checkpoint that the user can mend; before any
            training, broken images excepted.
    """
    run = prepare(config)
    if run.trainer.is_global_zero:
        announce(run, config)
    started = time.perf_counter()
    run.trainer.fit(run.task, run.data_module, ckpt_path=run.checkpoint, weights_only=True)
    seconds = time.perf_counter() - started
    if run.task.validated_step != run.trainer.global_step:
        run.trainer.validate(run.task, run.data_module, verbose=False)
    metrics = dict(sorted(run.task.metrics.items()))
    speed = run.progress.total_samples / max(run.progress.fit_seconds, 1e-9)
    metrics |= {"train/seconds": seconds, "train/samples_per_second": speed}
    if run.trainer.is_global_zero:
        (run.directory / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        run.progress.console.print(metrics_table(metrics))
        run.progress.console.print(f"everything is in {run.directory}", highlight=False, soft_wrap=True)
    return metrics


class Run(NamedTuple):
    """Everything a run is made of, before its first step."""

    directory: Path
    checkpoint: Path | None
    """Where it goes on from."""
    data_module: TrainingDataModule
    task: TrainingTask
    trainer: pl.Trainer
    progress: TrainingProgress
    initialization: InitializationReport | None
    """How the model starts from an earlier stage."""


class Recipe(NamedTuple):
    """How a stage and a task are built."""

    build: Callable[..., RunParts]
    optimization: Callable[[DictConfig], OptimizationConfig]


RECIPES: Mapping[tuple[str, str], Recipe] = {
    ("coarse", "pretrain"): Recipe(build_coarse_pretraining, coarse_building.optimization_config),
    ("fine", "pretrain"): Recipe(build_fine_pretraining, fine_building.optimization_config),
}
"""By stage and task."""


def prepare(config: DictConfig) -> Run:
    """Check the configuration and build the run; nothing is written yet."""
    directory = Path(config.run_dir)
    recipe = RECIPES[config.stage.name, config.task.name]
    settings = build_dataclass(TrainerConfig, plain(config.trainer), "trainer")
    optimization = recipe.optimization(config)
    checkpoint = find_checkpoint(config.ckpt_path, directory)
    position = read_position(checkpoint) if checkpoint else None
    pl.seed_everything(config.seed, verbose=False)

    progress = TrainingProgress(log_every=settings.log_every)
    trainer = build_trainer(config, settings, optimization, progress)
    task, data_module, initialization = recipe.build(config, settings, resuming=checkpoint is not None)
    trainer.callbacks.append(best_checkpoint(directory, task.monitored))  # type: ignore[attr-defined]
    data_module.check_size(trainer.world_size)
    if position is not None:
        data_module.resume_at(epoch=position.epoch, batch=position.batch)
    if settings.activation_checkpointing:
        checkpoint_activations(task.backbone)
    if settings.compile:
        compile_backbone(task.backbone)
    return Run(directory, checkpoint, data_module, task, trainer, progress, initialization)


def announce(run: Run, config: DictConfig) -> None:
    """Write the resolved configuration and the tokeniser, and say what is about to happen."""
    run.directory.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, run.directory / CONFIG_FILE, resolve=True)
    run.task.tokenizer.save(run.directory / TOKENIZER_FOLDER)
    if run.initialization is not None:
        (run.directory / "initialization.txt").write_text(run.initialization.listing() + "\n")
    groups = summarize_groups(run.task.model, run.task.optimization.groups)
    for text in (opening(run, config), groups):
        run.progress.console.print(text, highlight=False, soft_wrap=True)


def opening(run: Run, config: DictConfig) -> str:
    """What is about to happen, in a few lines."""
    trainer, optimization = run.trainer, run.task.optimization
    num_val = sum(map(len, run.data_module.val_samples))  # type: ignore[arg-type]
    lines = [
        f"{config.stage.name} {config.task.name} in {run.directory}",
        f"{len(run.data_module.train_samples):,} training samples, {num_val:,} to validate on",
        f"batch of {optimization.batch_size} = {run.data_module.loading.batch_size} samples x {trainer.world_size} "
        f"devices x {trainer.accumulate_grad_batches} accumulated, {optimization.max_steps:,} steps",
    ]
    if run.initialization is not None:
        lines.append(str(run.initialization))
    if run.checkpoint is not None:
        lines.append(f"resuming from {run.checkpoint}")
    elif config.ckpt_path is not None:
        lines.append("no checkpoint in the run directory yet: starting anew")
    return "\n".join(lines)


def metrics_table(metrics: dict[str, float]) -> Table:
    """The content of `metrics.json` for people."""
    table = Table(title="metrics.json")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}")
    return table
