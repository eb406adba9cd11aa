"""One training run from its configuration."""

import json
import time
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from rich.table import Table

from fiber.data.pair_data_module import PairDataModule
from fiber.objectives.pretraining import PretrainingObjectiveConfig
from fiber.tasks.acceleration import checkpoint_activations, compile_backbone
from fiber.tasks.building import build_data, build_pretraining_model, plain
from fiber.tasks.callbacks.progress import TrainingProgress
from fiber.tasks.optimizer import CoarseOptimizationConfig
from fiber.tasks.parameter_groups import summarize_groups
from fiber.tasks.pretrain import PretrainTask
from fiber.tasks.resuming import find_checkpoint, read_position
from fiber.tasks.trainer import build_trainer
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass


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
    speed = run.progress.total_pairs / max(run.progress.fit_seconds, 1e-9)
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
    data_module: PairDataModule
    task: PretrainTask
    trainer: pl.Trainer
    progress: TrainingProgress


def prepare(config: DictConfig) -> Run:
    """Check the configuration and build the run; nothing is written yet."""
    directory = Path(config.run_dir)
    settings = build_dataclass(TrainerConfig, plain(config.trainer), "trainer")
    optimization = build_dataclass(CoarseOptimizationConfig, plain(config.optimization), "optimization")
    objective = build_dataclass(PretrainingObjectiveConfig, plain(config.objective), "objective")
    checkpoint = find_checkpoint(config.ckpt_path, directory)
    position = read_position(checkpoint) if checkpoint else None
    pl.seed_everything(config.seed, verbose=False)

    progress = TrainingProgress(log_every=settings.log_every)
    trainer = build_trainer(config, settings, optimization, progress)
    data_module, tokenizer = build_data(config, settings)
    data_module.check_size(trainer.world_size)
    if position is not None:
        data_module.resume_at(epoch=position.epoch, batch=position.batch)
    model = build_pretraining_model(config, vocab_size=tokenizer.vocab_size, pretrained=checkpoint is None)
    if settings.activation_checkpointing:
        checkpoint_activations(model.backbone)
    if settings.compile:
        compile_backbone(model.backbone)
    task = PretrainTask(model, objective=objective, optimization=optimization, tokenizer=tokenizer, seed=config.seed)
    return Run(directory, checkpoint, data_module, task, trainer, progress)


def announce(run: Run, config: DictConfig) -> None:
    """Write the resolved configuration and the tokeniser, and say what is about to happen."""
    run.directory.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, run.directory / "config.yaml", resolve=True)
    run.task.tokenizer.save(run.directory / "tokenizer")
    groups = summarize_groups(run.task.model, run.task.optimization.groups)
    for text in (opening(run, config), groups):
        run.progress.console.print(text, highlight=False, soft_wrap=True)


def opening(run: Run, config: DictConfig) -> str:
    """What is about to happen, in a few lines."""
    trainer, optimization = run.trainer, run.task.optimization
    lines = [
        f"{config.stage.name} {config.task.name} in {run.directory}",
        f"{len(run.data_module.train_pairs):,} training pairs, {len(run.data_module.val_pairs):,} validation pairs",
        f"batch of {optimization.batch_size} = {run.data_module.config.batch_size} pairs x {trainer.world_size} "
        f"devices x {trainer.accumulate_grad_batches} accumulated, {optimization.max_steps:,} steps",
    ]
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
