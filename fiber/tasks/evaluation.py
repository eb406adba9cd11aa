"""Judging a trained model of the coarse stage on a split, from a configuration."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console
from torch import Tensor, nn

from fiber.checkpoints.initialization import POSITION_BIAS
from fiber.checkpoints.position_bias import resize_position_bias
from fiber.checkpoints.run_folder import CONFIG_FILE
from fiber.checkpoints.trained_run import RunFiles, find_run_files, read_run_config, read_run_weights
from fiber.data.data_module import EvaluationDataModule
from fiber.data.tokenization import TextTokenizer
from fiber.tasks.coarse_tasks import COARSE_TASKS
from fiber.tasks.evaluation_module import EvaluationModule
from fiber.tasks.fine_tuning_building import build_sizes, build_task_reader, coarse_data_config
from fiber.tasks.metrics_table import metrics_table
from fiber.tasks.sheets import draw_sheet
from fiber.tasks.task_builder import TaskBuilder
from fiber.tasks.trainer import build_evaluation_trainer
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass, plain
from fiber.utils.errors import UserError


class Evaluation(NamedTuple):
    """Everything that judges a split."""

    module: EvaluationModule
    data_module: EvaluationDataModule
    trainer: pl.Trainer
    output: Path


def evaluate(config: DictConfig) -> dict[str, float]:
    """Judge, print a table, and write metrics, pictures and the benchmark's result files.

    Args:
        config: composed from `configs/evaluate.yaml`.

    Returns:
        The content of `metrics.json`: `<split>/<task>/<metric>`.

    Raises:
        UserError: anything in the configuration, the data or the checkpoint that the user can mend.
    """
    judging = prepare_evaluation(config)
    judging.trainer.validate(judging.module, judging.data_module, verbose=False)
    result = judging.module.result
    assert result is not None
    metrics = {f"{config.split}/{name}": value for name, value in sorted(result.metrics.items())}
    if judging.trainer.is_global_zero:
        judging.output.mkdir(parents=True, exist_ok=True)
        files = {"metrics.json": json.dumps(metrics, indent=2) + "\n", **result.files}
        for name, content in files.items():
            (judging.output / name).write_text(content)
        rows = judging.module.evaluator.sheet()
        if rows:
            draw_sheet(rows).save(judging.output / "predictions.png")
        console = Console()
        console.print(metrics_table(metrics))
        console.print(f"{', '.join(files)} in {judging.output}", highlight=False, soft_wrap=True)
    return metrics


def prepare_evaluation(config: DictConfig) -> Evaluation:
    """Check the configuration and build everything; nothing is written yet."""
    if config.checkpoint is None:
        raise UserError("checkpoint is missing: give checkpoint=RUN, the directory of a run.")
    files = find_run_files(Path(config.checkpoint))
    merged = merge_with_run(config, read_run_config(files.config), files)
    builder_type = COARSE_TASKS[merged.task.name]
    settings = build_dataclass(TrainerConfig, plain(merged.trainer), "trainer")
    reader = build_task_reader(find_split(merged, config.split), builder_type)
    tokenizer = TextTokenizer.from_file(files.tokenizer)
    data = coarse_data_config(merged, settings, builder_type.data_config)
    builder = builder_type(merged, tokenizer=tokenizer, data=data)
    builder.recall(files.directory)
    evaluator = builder.evaluator(reader)
    model = load_model(builder, merged, files, vocab_size=tokenizer.vocab_size)
    samples = builder.evaluation_samples(reader)
    data_module = EvaluationDataModule(
        data, val=[samples] * evaluator.num_passes, val_collate=builder.evaluation_collator()
    )
    trainer = build_evaluation_trainer(settings)
    data_module.check_size(trainer.world_size)
    name = f"{merged.task.name}_{config.split}"
    output = Path(config.output) if config.output is not None else files.directory / "evaluation" / name
    return Evaluation(EvaluationModule(model, evaluator), data_module, trainer, output)


def merge_with_run(config: DictConfig, run: DictConfig, files: RunFiles) -> DictConfig:
    """The run's configuration with what the evaluation sets.

    Raises:
        UserError: a run of another stage, a task that does not exist, or data of the run where the task is another.
    """
    if run.stage.name != "coarse":
        raise UserError(f"{files.config} is of stage={run.stage.name}: evaluate.py judges tasks of the coarse stage.")
    task = config.task.name if config.get("task") is not None else run.task.name
    if task not in COARSE_TASKS:
        raise UserError(f"{files.config} is of task={task}: give task=..., one of {', '.join(COARSE_TASKS)}.")
    with open_dict(config):
        config.image_size = config.image_size or run.image_size
    merged = run.copy()
    with open_dict(merged):
        merged.task = {"name": task}
        merged.image_size = config.image_size
        merged.trainer = config.trainer
        if config.get("data") is not None:
            merged.data = plain(config)["data"]
        if config.val_batch_size is not None:
            merged.data.val_batch_size = config.val_batch_size
        merged.data.pop("mlm_probability", None)  # of a pre-training run
        given = {key: value for key, value in plain(config.evaluation).items() if value is not None}
        own = run.get("evaluation") if run.task.name == task else None
        merged.evaluation = OmegaConf.merge(own or {}, given)
    if given and not COARSE_TASKS[task].has_evaluation_options:
        raise UserError(f"evaluation.{min(given)} is no option of task={task}.")
    return merged


def find_split(config: DictConfig, split: str) -> DictConfig:
    """The reader of a split.

    Raises:
        UserError: the data have no such split.
    """
    splits = {"val": config.data.val, **(config.data.get("splits") or {})}
    if split not in splits:
        raise UserError(f"split={split}: these data have {', '.join(map(str, splits))}; or give other data=...")
    found = splits[split]
    assert isinstance(found, DictConfig)
    return found


def load_model(builder: TaskBuilder, config: DictConfig, files: RunFiles, *, vocab_size: int) -> nn.Module:
    """The model with the run's weights; heads of another task may be left over.

    Raises:
        UserError: the checkpoint is of another task, or does not fit its run.
    """
    sizes = build_sizes(config, vocab_size=vocab_size)
    model = builder.model(sizes)
    own = model.state_dict()
    weights = resized_to(sizes.image.window_size, read_run_weights(files.checkpoint), own)
    odd = [name for name in own if name not in weights or own[name].shape != weights[name].shape]
    trained_for = read_run_config(files.config).task.name
    if odd and trained_for != config.task.name:
        raise UserError(
            f"checkpoint={files.checkpoint} is of task={trained_for} and has no {odd[0]} that task={config.task.name} "
            "could use: give a checkpoint of that task."
        )
    if odd:
        raise UserError(
            f"checkpoint={files.checkpoint} does not fit {CONFIG_FILE} of its run: {len(odd)} tensors differ, {odd[0]} "
            "among them. Has the file been moved from another run?"
        )
    model.load_state_dict({name: weights[name] for name in own})
    return model.eval()


def resized_to(window_size: int, weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with the position biases brought to another image size, where the model's are for one."""
    biases = {name for name in own if name.endswith(POSITION_BIAS) and name in weights}
    changed = {name for name in biases if own[name].shape != weights[name].shape}
    return {
        name: resize_position_bias(value, window_size) if name in changed else value for name, value in weights.items()
    }
