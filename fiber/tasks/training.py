"""One training run from its configuration."""

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ModelCheckpoint

from fiber.checkpoints.run_folder import BEST, CONFIG_FILE, TOKENIZER_FOLDER, checkpoint_folder, find_weights
from fiber.data.data_module import TrainingDataModule
from fiber.tasks.acceleration import checkpoint_activations, compile_backbone
from fiber.tasks.building import RunParts
from fiber.tasks.callbacks.progress import TrainingProgress
from fiber.tasks.coarse.fine_tuning_building import build_fine_tuning
from fiber.tasks.coarse.pretraining_building import build_coarse_pretraining
from fiber.tasks.coarse.tasks import COARSE_TASKS, find_task_builder, has_own_builder
from fiber.tasks.evaluation import judge_run
from fiber.tasks.fine.building import build_detector_training, check_data
from fiber.tasks.fine.tasks import FINE_TASKS
from fiber.tasks.metrics import metrics_json, metrics_table, write_metrics
from fiber.tasks.parameter_groups import summarize_groups
from fiber.tasks.resuming import find_checkpoint, read_position
from fiber.tasks.suite import RunResult, expand, run_suite
from fiber.tasks.task import TrainingTask
from fiber.tasks.trainer import PREDICTIONS, build_trainer
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass, plain
from fiber.utils.errors import UserError

FIRST_METRICS = "zero_shot.json"
"""What the model could do before it learned, in a run's directory."""
FIRST_PREDICTIONS = "zero_shot.png"
"""Its sample predictions, beside it."""


def train(config: DictConfig) -> dict[str, float]:
    """Train, validate, and write everything to the run directory.

    Where `data.dataset`, `data.shots` or `data.shot_seed` are lists there is a run for every combination.

    Args:
        config: composed from `configs/train.yaml`.

    Returns:
        The content of `metrics.json`: `<split>/<task>/<metric>` and the run's `train/*`.

    Raises:
        UserError: anything in the configuration, the data or the checkpoint that the user can mend; before any
            training, broken images excepted.
    """
    suite = expand(config)
    if not suite.varied:
        return train_once(config).metrics
    for run in suite.runs:  # what is missing is met now, not hours later
        check_data(run.config, build_dataclass(TrainerConfig, plain(run.config.trainer), "trainer"))

    def one(own: DictConfig, folder: Path) -> RunResult:
        own.run_dir = str(folder)
        return train_once(own)

    return run_suite(suite, Path(config.run_dir), one=one)


def train_once(config: DictConfig) -> RunResult:
    """One run.

    Raises:
        UserError: as for `train`.
    """
    run = prepare(config)
    if run.trainer.is_global_zero:
        announce(run, config)
    first = judge_first(run) if run.parts.check_first else {}
    started = time.perf_counter()
    run.trainer.fit(run.task, run.data_module, ckpt_path=run.checkpoint, weights_only=True)
    seconds = time.perf_counter() - started
    if run.task.validated_step != run.trainer.global_step:
        run.trainer.validate(run.task, run.data_module, verbose=False)
        keep_if_best(run)
    headline = renamed(run.task.monitored, "best")
    metrics = dict(sorted(run.task.metrics.items())) | first | {headline: best_score(run)}
    speed = run.progress.total_samples / max(run.progress.fit_seconds, 1e-9)
    metrics |= {"train/seconds": seconds, "train/samples_per_second": speed}
    keep_metrics(run, metrics)  # also if judging fails
    if run.parts.final_split is not None:
        judged = judge_run(run.directory, run.parts.final_split, run.settings)
        metrics, headline = metrics | judged.metrics, judged.headline
        keep_metrics(run, metrics)
    if run.trainer.is_global_zero:
        run.progress.console.print(metrics_table(metrics))
        run.progress.console.print(f"everything is in {run.directory}", highlight=False, soft_wrap=True)
    return RunResult(metrics, headline)


def keep_metrics(run: "Run", metrics: Mapping[str, float]) -> None:
    """Write what is known so far to the run's directory."""
    if run.trainer.is_global_zero:
        write_metrics(run.directory, metrics)


def judge_first(run: "Run") -> dict[str, float]:
    """What the model can do before it learns anything: metrics `zero_shot/...`, and pictures."""
    file = run.directory / FIRST_METRICS
    if run.checkpoint is not None:  # a resumed run has judged already
        found: dict[str, float] = json.loads(file.read_text()) if file.is_file() else {}
        return found
    run.trainer.validate(run.task, run.data_module, verbose=False)
    metrics = {renamed(name, "zero_shot"): value for name, value in sorted(run.task.metrics.items())}
    if run.trainer.is_global_zero:
        file.write_text(metrics_json(metrics))
        run.progress.console.print(f"before training: {run.task.monitored} {run.task.metrics[run.task.monitored]:.4f}")
        pictures = run.directory / PREDICTIONS
        if pictures.is_file():
            pictures.replace(run.directory / FIRST_PREDICTIONS)
    return metrics


def keep_if_best(run: "Run") -> None:
    """Keep the last model if it is better than all before: the fit does not know what was found after it."""
    found, keeper = run.task.metrics[run.task.monitored], run.keeper
    if keeper.best_model_score is None or found > float(keeper.best_model_score):
        keeper.best_model_score = torch.tensor(found)
        run.trainer.save_checkpoint(checkpoint_folder(run.directory) / BEST)


def best_score(run: "Run") -> float:
    """Of the best validation."""
    assert run.keeper.best_model_score is not None
    return float(run.keeper.best_model_score)


def renamed(metric: str, split: str) -> str:
    """The metric of validation as that of another split."""
    return f"{split}/{metric.removeprefix('val/')}"


class Run(NamedTuple):
    """Everything a run is made of, before its first step."""

    directory: Path
    checkpoint: Path | None
    """Where it goes on from."""
    parts: RunParts
    """What stage and task contribute."""
    settings: TrainerConfig
    trainer: pl.Trainer
    progress: TrainingProgress

    @property
    def task(self) -> TrainingTask:
        return self.parts.task

    @property
    def keeper(self) -> ModelCheckpoint:
        """Keeps the model that was best in validation."""
        [keeper] = [one for one in self.trainer.checkpoint_callbacks if isinstance(one, ModelCheckpoint)]
        return keeper

    @property
    def data_module(self) -> TrainingDataModule:
        return self.parts.data_module


RECIPES: Mapping[tuple[str, str], Callable[..., RunParts]] = {
    ("coarse", "pretrain"): build_coarse_pretraining,
    ("fine", "pretrain"): build_detector_training,
    **{("fine", task): build_detector_training for task in FINE_TASKS},
    **{
        ("coarse", task): partial(build_fine_tuning, builder_type=builder_type)
        for task, builder_type in COARSE_TASKS.items()
    },
}
"""How a run is built, by stage and task."""


def prepare(config: DictConfig) -> Run:
    """Check the configuration and build the run; nothing is written yet."""
    directory = Path(config.run_dir)
    build = find_recipe(config.stage.name, config.task)
    settings = build_dataclass(TrainerConfig, plain(config.trainer), "trainer")
    checkpoint = find_checkpoint(config.ckpt_path, directory)
    if config.ckpt_path is None and find_weights(directory) is not None:
        raise UserError(
            f"run_dir={directory} holds a model already: give another, or ckpt_path=auto to go on with that run."
        )
    position = read_position(checkpoint) if checkpoint else None
    pl.seed_everything(config.seed, verbose=False)

    progress = TrainingProgress(log_every=settings.log_every)
    parts = build(config, settings, resuming=checkpoint is not None)
    task, data_module = parts.task, parts.data_module
    trainer = build_trainer(
        config,
        settings,
        task.optimization,
        progress,
        monitored=task.monitored,
        num_samples=len(data_module.train_samples),
        needs_negatives=task.needs_negatives,
    )
    data_module.check_size(trainer.world_size, accumulate=trainer.accumulate_grad_batches)
    if position is not None:
        data_module.resume_at(epoch=position.epoch, batch=position.batch)
    if settings.activation_checkpointing:
        checkpoint_activations(task.backbone)
    if settings.compile:
        compile_backbone(task.backbone)
    return Run(directory, checkpoint, parts, settings, trainer, progress)


def find_recipe(stage: str, task: DictConfig) -> Callable[..., RunParts]:
    """How a run of a stage and a task is built.

    Args:
        stage: its name.
        task: the `task` part of the configuration.

    Raises:
        UserError: the stage has no such task, or its builder cannot be found.
    """
    if has_own_builder(task):
        if stage != "coarse":
            raise UserError(f"task.builder={task.builder} builds a task of stage=coarse, not of stage={stage}.")
        return partial(build_fine_tuning, builder_type=find_task_builder(task))
    if (stage, task.name) not in RECIPES:
        tasks = ", ".join(known for other, known in RECIPES if other == stage)
        raise UserError(
            f"task={task.name} is no task of stage={stage}: give one of {tasks}, or task.builder=MODULE.CLASS for one "
            "of your own."
        )
    return RECIPES[stage, task.name]


def announce(run: Run, config: DictConfig) -> None:
    """Write the resolved configuration and the tokeniser, and say what is about to happen."""
    run.directory.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, run.directory / CONFIG_FILE, resolve=True)
    run.task.tokenizer.save(run.directory / TOKENIZER_FOLDER)
    for name, content in run.parts.learned_files.items():
        (run.directory / name).write_text(content)
    if run.parts.initialization is not None:
        (run.directory / "initialization.txt").write_text(run.parts.initialization.listing() + "\n")
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
    if run.parts.initialization is not None:
        lines.append(str(run.parts.initialization))
    if run.checkpoint is not None:
        lines.append(f"resuming from {run.checkpoint}")
    elif config.ckpt_path is not None:
        lines.append("no checkpoint in the run directory yet: starting anew")
    return "\n".join(lines)
