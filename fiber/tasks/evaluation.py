"""Judging a trained model on a split, from a configuration."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
from omegaconf import DictConfig
from PIL import Image
from rich.console import Console

from fiber.checkpoints.run_folder import METRICS_FILE
from fiber.checkpoints.trained_run import find_run_files, read_run_config
from fiber.tasks.evaluation_module import EvaluationModule
from fiber.tasks.evaluation_request import STAGES, EvaluationRequest, judged_task, merge_with_run, read_request
from fiber.tasks.judging import Judging
from fiber.tasks.metrics import metrics_json, metrics_table
from fiber.tasks.split_evaluator import ResultFile
from fiber.tasks.suite import RunResult, expand, run_suite
from fiber.tasks.trainer import PREDICTIONS, build_evaluation_trainer
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.errors import UserError


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
    suite = expand(config)
    if not suite.varied:
        return evaluate_once(read_request(config)).metrics
    unknown = [axis for axis in suite.varied if axis != "dataset"]
    if unknown:
        raise UserError(f"data.{unknown[0]} lists several values, but nothing is trained: leave it out.")
    for run in suite.runs:  # what is missing is met now, not hours later
        check_split(read_request(run.config))

    def one(own: DictConfig, output: Path) -> RunResult:
        return evaluate_once(replace(read_request(own), output=output))

    return run_suite(suite, output_folder(read_request(suite.runs[0].config)), one=one)


def evaluate_once(request: EvaluationRequest) -> RunResult:
    """Judge one split.

    Raises:
        UserError: as for `evaluate`.
    """
    evaluation = prepare_evaluation(request)
    evaluation.trainer.validate(evaluation.module, evaluation.judging.data_module, verbose=False)
    result = evaluation.module.result
    assert result is not None
    metrics = {f"{request.split}/{name}": value for name, value in sorted(result.metrics.items())}
    if evaluation.trainer.is_global_zero:
        files: dict[str, ResultFile] = {METRICS_FILE: metrics_json(metrics), **result.files}
        picture = evaluation.judging.evaluator.picture()
        if picture is not None:
            files[PREDICTIONS] = picture
        write_files(evaluation.output, files)
        console = Console()
        console.print(metrics_table(metrics))
        samples = evaluation.judging.data_module.val_samples[0]
        console.print(f"{len(samples):,} samples of {request.split}", highlight=False)  # type: ignore[arg-type]
        console.print(f"{', '.join(files)} in {evaluation.output}", highlight=False, soft_wrap=True)
    return RunResult(metrics, f"{request.split}/{evaluation.judging.evaluator.monitored}")


def judge_run(run: Path, split: str, trainer: TrainerConfig) -> RunResult:
    """Judge the best model of a run on a split of the run's data.

    Args:
        run: its directory.
        split: name in its data.
        trainer: the hardware.

    Raises:
        UserError: the data of the split are broken.
    """
    return evaluate_once(EvaluationRequest(checkpoint=run, split=split, trainer=trainer, trust_recipe=True))


def write_files(folder: Path, files: Mapping[str, ResultFile]) -> None:
    """Texts and pictures by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if isinstance(content, Image.Image):
            content.save(folder / name)
        else:
            (folder / name).write_text(content, encoding="utf-8")


def prepare_evaluation(request: EvaluationRequest) -> Evaluation:
    """Check the request and build everything; nothing is written yet."""
    files = find_run_files(request.checkpoint)
    merged = merge_with_run(request, read_run_config(files.config), files)
    judging = STAGES[merged.stage.name].build(merged, files, request.trainer, split=request.split)
    trainer = build_evaluation_trainer(request.trainer)
    judging.data_module.check_size(trainer.world_size)
    module = EvaluationModule(judging.model, judging.evaluator)
    return Evaluation(module, judging, trainer, output_folder(request))


def check_split(request: EvaluationRequest) -> None:
    """Raise a UserError if the split cannot be read; no model is built."""
    files = find_run_files(request.checkpoint)
    merged = merge_with_run(request, read_run_config(files.config), files)
    STAGES[merged.stage.name].build_reader(merged, request.split)


def output_folder(request: EvaluationRequest) -> Path:
    """Where the results go."""
    if request.output is not None:
        return request.output
    files = find_run_files(request.checkpoint)
    task = judged_task(request, read_run_config(files.config), files)
    return files.directory / "evaluation" / f"{task}_{request.split}"
