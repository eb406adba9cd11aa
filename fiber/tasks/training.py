"""One training run from its configuration."""

import json
import time
from pathlib import Path

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from fiber.objectives.pretraining import PretrainingObjectiveConfig
from fiber.tasks.acceleration import checkpoint_activations, compile_backbone
from fiber.tasks.building import build_data, build_pretraining_model, plain
from fiber.tasks.callbacks.progress import TrainingProgress
from fiber.tasks.optimizer import OptimizationConfig
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
    console = Console()
    run_dir = Path(config.run_dir)
    settings = build_dataclass(TrainerConfig, plain(config.trainer), "trainer")
    optimization = build_dataclass(OptimizationConfig, plain(config.optimization), "optimization")
    objective = build_dataclass(PretrainingObjectiveConfig, plain(config.objective), "objective")
    checkpoint = find_checkpoint(config.ckpt_path, run_dir)
    position = read_position(checkpoint) if checkpoint else None
    pl.seed_everything(config.seed, verbose=False)

    progress = TrainingProgress(log_every=settings.log_every, console=console)
    trainer = build_trainer(config, settings, optimization, progress)
    data_module, tokenizer = build_data(config, settings)
    model = build_pretraining_model(config, vocab_size=tokenizer.vocab_size, pretrained=checkpoint is None)
    if settings.activation_checkpointing:
        checkpoint_activations(model.backbone)
    if settings.compile:
        compile_backbone(model.backbone)
    task = PretrainTask(model, objective=objective, optimization=optimization, tokenizer=tokenizer, seed=config.seed)
    if position is not None:
        data_module.resume_at(epoch=position.epoch, batch=position.batch)

    if trainer.is_global_zero:
        run_dir.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, run_dir / "config.yaml", resolve=True)
        tokenizer.save(run_dir / "tokenizer")
        console.print(
            opening(config, trainer, data_module.train_pairs, checkpoint, settings), highlight=False, soft_wrap=True
        )
        console.print(summarize_groups(model, optimization.groups), highlight=False, soft_wrap=True)

    started = time.perf_counter()
    trainer.fit(task, data_module, ckpt_path=checkpoint, weights_only=True)
    seconds = time.perf_counter() - started
    results = trainer.validate(task, data_module, verbose=False)[0]
    metrics = {name: float(value) for name, value in sorted(results.items())}
    metrics |= {
        "train/seconds": seconds,
        "train/samples_per_second": progress.total_pairs / max(progress.fit_seconds, 1e-9),
    }
    if trainer.is_global_zero:
        (run_dir / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        console.print(metrics_table(metrics, run_dir))
    return metrics


def opening(
    config: DictConfig, trainer: pl.Trainer, pairs: object, checkpoint: Path | None, settings: TrainerConfig
) -> str:
    """What is about to happen, in a few lines."""
    accumulate = trainer.accumulate_grad_batches
    lines = [
        f"{config.stage.name} {config.task.name} in {config.run_dir}",
        f"{len(pairs):,} training pairs",  # type: ignore[arg-type]
        f"batch of {config.optimization.batch_size} = {settings.batch_size} pairs x {trainer.world_size} devices x "
        f"{accumulate} accumulated, {config.optimization.max_steps:,} steps",
    ]
    if checkpoint is not None:
        lines.append(f"resuming from {checkpoint}")
    elif config.ckpt_path is not None:
        lines.append("no checkpoint in the run directory yet: starting anew")
    return "\n".join(lines)


def metrics_table(metrics: dict[str, float], run_dir: Path) -> Table:
    """The content of `metrics.json` for people."""
    table = Table(title=f"{run_dir / 'metrics.json'}")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}")
    return table
