"""Judging a trained model on a split, from a configuration."""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf, open_dict
from PIL import Image
from rich.console import Console

from fiber.checkpoints.trained_run import RunFiles, find_run_files, read_run_config
from fiber.tasks.coarse.judging import build_coarse_judging
from fiber.tasks.coarse.tasks import COARSE_TASKS
from fiber.tasks.evaluation_module import EvaluationModule
from fiber.tasks.fine.judging import build_fine_judging
from fiber.tasks.fine.tasks import FINE_TASKS
from fiber.tasks.judging import Judging
from fiber.tasks.metrics_table import metrics_table
from fiber.tasks.split_evaluator import ResultFile
from fiber.tasks.suite import RunResult, expand, run_suite
from fiber.tasks.trainer import PREDICTIONS, build_evaluation_trainer
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass, plain
from fiber.utils.errors import UserError


class JudgedStage(NamedTuple):
    """How models of a stage are judged."""

    tasks: Collection[str]
    build: Callable[..., Judging]
    own_data: bool
    """Whether tasks that read alike differ in their data."""


STAGES: Mapping[str, JudgedStage] = {
    "coarse": JudgedStage(COARSE_TASKS, build_coarse_judging, own_data=False),
    "fine": JudgedStage(FINE_TASKS, build_fine_judging, own_data=True),
}


class Evaluation(NamedTuple):
    """Everything that judges a split."""

    module: EvaluationModule
    judging: Judging
    trainer: pl.Trainer
    output: Path


def evaluate(config: DictConfig) -> dict[str, float]:
    """Judge, print a table, and write metrics, pictures and the benchmark's result files.

    Where `data.dataset` is a list, all are judged one after the other.

    Args:
        config: composed from `configs/evaluate.yaml`.

    Returns:
        The content of `metrics.json`: `<split>/<task>/<metric>`.

    Raises:
        UserError: anything in the configuration, the data or the checkpoint that the user can mend.
    """
    runs = expand(config)
    if len(runs) == 1:
        return evaluate_once(runs[0].config).metrics
    files = find_run_files(checkpoint_of(config))
    folder = output_folder(merge_with_run(runs[0].config.copy(), read_run_config(files.config), files), files)

    def one(own: DictConfig, output: Path) -> RunResult:
        own.output = str(output)
        return evaluate_once(own)

    return run_suite(runs, folder, one=one)


def evaluate_once(config: DictConfig) -> RunResult:
    """Judge one split."""
    evaluation = prepare_evaluation(config)
    evaluation.trainer.validate(evaluation.module, evaluation.judging.data_module, verbose=False)
    result = evaluation.module.result
    assert result is not None
    metrics = {f"{config.split}/{name}": value for name, value in sorted(result.metrics.items())}
    if evaluation.trainer.is_global_zero:
        files = {"metrics.json": json.dumps(metrics, indent=2) + "\n", **result.files}
        picture = evaluation.judging.evaluator.picture()
        if picture is not None:
            files[PREDICTIONS] = picture
        write_files(evaluation.output, files)
        console = Console()
        console.print(metrics_table(metrics))
        samples = evaluation.judging.data_module.val_samples[0]
        console.print(f"{len(samples):,} samples of {config.split}", highlight=False)  # type: ignore[arg-type]
        console.print(f"{', '.join(files)} in {evaluation.output}", highlight=False, soft_wrap=True)
    return RunResult(metrics, f"{config.split}/{evaluation.judging.evaluator.monitored}")


def judge_run(run: Path, split: str, trainer: DictConfig) -> RunResult:
    """Judge the best model of a run on a split of the run's data.

    Args:
        run: its directory.
        split: name in its data.
        trainer: the `trainer` part of a configuration.
    """
    options = ("task", "data", "output", "val_batch_size", "image_size")
    given = {"checkpoint": str(run), "split": split, "trainer": trainer, "evaluation": {}}
    return evaluate_once(OmegaConf.create(dict.fromkeys(options) | given))


def write_files(folder: Path, files: Mapping[str, ResultFile]) -> None:
    """Texts and pictures by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if isinstance(content, Image.Image):
            content.save(folder / name)
        else:
            (folder / name).write_text(content, encoding="utf-8")


def prepare_evaluation(config: DictConfig) -> Evaluation:
    """Check the configuration and build everything; nothing is written yet."""
    files = find_run_files(checkpoint_of(config))
    merged = merge_with_run(config, read_run_config(files.config), files)
    settings = build_dataclass(TrainerConfig, plain(merged.trainer), "trainer")
    judging = STAGES[merged.stage.name].build(merged, files, settings, split=config.split)
    trainer = build_evaluation_trainer(settings)
    judging.data_module.check_size(trainer.world_size)
    return Evaluation(
        EvaluationModule(judging.model, judging.evaluator), judging, trainer, output_folder(merged, files)
    )


def checkpoint_of(config: DictConfig) -> Path:
    """What is judged.

    Raises:
        UserError: nothing is named.
    """
    if config.checkpoint is None:
        raise UserError("checkpoint is missing: give checkpoint=RUN, the directory of a run.")
    return Path(config.checkpoint)


def output_folder(config: DictConfig, files: RunFiles) -> Path:
    """Where the results go."""
    if config.output is not None:
        return Path(config.output)
    return files.directory / "evaluation" / f"{config.task.name}_{config.split}"


def merge_with_run(config: DictConfig, run: DictConfig, files: RunFiles) -> DictConfig:
    """The run's configuration with what the evaluation sets.

    Raises:
        UserError: a task that the stage does not have, or an option that the task does not have.
    """
    stage = STAGES[run.stage.name]
    task = config.task.name if config.get("task") is not None else run.task.name
    if task not in stage.tasks:
        raise UserError(
            f"{files.config} is of stage={run.stage.name} task={task}: give task=..., one of {', '.join(stage.tasks)}."
        )
    if stage.own_data and task != run.task.name and config.get("data") is None:
        raise UserError(f"task={task} has data of its own: give data={run.stage.name}_{task} and data_dir=...")
    given_size = config.image_size
    with open_dict(config):
        config.image_size = config.image_size or run.get("image_size")
    merged = run.copy()
    with open_dict(merged):
        merged.task = {"name": task}
        merged.output, merged.split = config.output, config.split
        merged.image_size = config.image_size
        merged.trainer = config.trainer
        if config.get("data") is not None:
            # Unresolved, so that the data may refer to the run's task.
            merged.data = OmegaConf.to_container(config.data, resolve=False)
            merged.data_dir, merged.seed = config.data_dir, config.seed
        if run.stage.name == "fine":
            own = merged.data.val_short_side or run.data.val_short_side
            merged.data.val_short_side = given_size or own
            if config.get("data") is None:
                merged.data.max_val_samples = None  # what shortens validation while training
        if config.val_batch_size is not None:
            merged.data.val_batch_size = config.val_batch_size
        merged.data.pop("mlm_probability", None)  # of a pre-training run
        given = {key: value for key, value in plain(config.evaluation).items() if value is not None}
        own = run.get("evaluation") if run.task.name == task else None
        merged.evaluation = OmegaConf.merge(own or {}, given)
    if given and task in COARSE_TASKS and not COARSE_TASKS[task].has_evaluation_options:
        raise UserError(f"evaluation.{min(given)} is no option of task={task}.")
    return merged
