"""What an evaluation is asked to do, and the configuration of a run that follows from it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

from omegaconf import DictConfig, OmegaConf, open_dict

from fiber.checkpoints.trained_run import RunFiles
from fiber.tasks.coarse.judging import build_coarse_judging, build_coarse_reader
from fiber.tasks.coarse.tasks import COARSE_TASKS, find_task_builder, has_own_builder
from fiber.tasks.fine.judging import build_fine_judging, build_fine_reader
from fiber.tasks.fine.tasks import FINE_TASKS
from fiber.tasks.judging import Judging
from fiber.tasks.recipe_trust import check_builder, check_readers
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass, plain
from fiber.utils.errors import UserError


class JudgedStage(NamedTuple):
    """How models of a stage are judged."""

    tasks: Collection[str]
    build: Callable[..., Judging]
    build_reader: Callable[[DictConfig, str], Any]
    """Of a split, from the merged configuration."""
    boxes: bool
    """Whether boxes are judged: in images of any size, and on data that suit one task alone."""


STAGES: Mapping[str, JudgedStage] = {
    "coarse": JudgedStage(COARSE_TASKS, build_coarse_judging, build_coarse_reader, boxes=False),
    "fine": JudgedStage(FINE_TASKS, build_fine_judging, build_fine_reader, boxes=True),
}


@dataclass(frozen=True, kw_only=True)
class OtherData:
    """Data that a run was not trained with."""

    values: Mapping[str, Any]
    """Unresolved, so that they may refer to the task and the image size."""
    folder: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest:
    """The content of `configs/evaluate.yaml`; None = as the run."""

    checkpoint: Path
    """Run directory, or a checkpoint in one."""
    split: str
    trainer: TrainerConfig
    task: str | None = None
    data: OtherData | None = None
    output: Path | None = None
    """Folder of the results."""
    val_batch_size: int | None = None
    image_size: int | None = None
    """Pixels, of boxes those of the shorter side."""
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    """Options of the task that differ from the run's."""
    trust_recipe: bool = False
    """Whether the run's configuration may name readers and builders that are not of the library."""


def read_request(config: DictConfig) -> EvaluationRequest:
    """The request of a configuration.

    Args:
        config: composed from `configs/evaluate.yaml`.

    Raises:
        UserError: no checkpoint is named, or `trainer` has a wrong value.
    """
    if config.checkpoint is None:
        raise UserError("checkpoint is missing: give checkpoint=RUN, the directory of a run.")
    data = None
    if config.get("data") is not None:
        values = cast(dict[str, Any], OmegaConf.to_container(config.data, resolve=False))
        data = OtherData(values=values, folder=config.data_dir, seed=config.seed)
    return EvaluationRequest(
        checkpoint=Path(config.checkpoint),
        split=config.split,
        trainer=build_dataclass(TrainerConfig, plain(config.trainer), "trainer"),
        task=config.task.name if config.get("task") is not None else None,
        data=data,
        output=Path(config.output) if config.output is not None else None,
        val_batch_size=config.val_batch_size,
        image_size=config.image_size,
        evaluation={key: value for key, value in plain(config.evaluation).items() if value is not None},
        trust_recipe=config.trust_recipe,
    )


def merge_with_run(request: EvaluationRequest, run: DictConfig, files: RunFiles) -> DictConfig:
    """A run's configuration with what an evaluation sets.

    Args:
        request: the evaluation.
        run: configuration of the run.
        files: of the run.

    Raises:
        UserError: a task that the stage does not have, one that needs other data, an option that the task does not
            have, or a class of others that is not trusted.
    """
    task = judged_task(request, run, files)
    if not request.trust_recipe:
        refuse_foreign_classes(request, run, files, task)
    merged = run.copy()
    with open_dict(merged):
        if task != run.task.name:
            merged.task = {"name": task}
        refuse_foreign_options(request, merged.task)
        merged.image_size = request.image_size or run.get("image_size")
        own_options = (run.get("evaluation") or {}) if run.task.name == task else {}
        merged.evaluation = OmegaConf.merge(own_options, request.evaluation)
        if request.data is not None:
            merged.data, merged.data_dir, merged.seed = request.data.values, request.data.folder, request.data.seed
        merged.data.pop("mlm_probability", None)  # of a pre-training run
        if request.val_batch_size is not None:
            merged.data.val_batch_size = request.val_batch_size
        if STAGES[run.stage.name].boxes:
            merged.data.val_short_side = judged_side(request, run)
            if request.data is None:
                merged.data.max_val_samples = None  # what shortens validation while training
    return merged


def judged_task(request: EvaluationRequest, run: DictConfig, files: RunFiles) -> str:
    """The task that a run is judged on.

    Raises:
        UserError: the stage does not have it, or it needs other data.
    """
    stage = STAGES[run.stage.name]
    task: str = request.task or run.task.name
    if task not in stage.tasks and not (task == run.task.name and has_own_builder(run.task)):
        others = [name for name, other in STAGES.items() if task in other.tasks]
        if others:
            raise UserError(
                f"checkpoint={files.checkpoint} is of stage={run.stage.name}, which has no task={task}: give a run of "
                f"stage={others[0]}."
            )
        raise UserError(
            f"{files.config} is of stage={run.stage.name} task={task}: give task=..., one of {', '.join(stage.tasks)}."
        )
    if stage.boxes and task != run.task.name and request.data is None:
        raise UserError(f"task={task} has data of its own: give data={run.stage.name}_{task} and data_dir=...")
    return task


def refuse_foreign_classes(request: EvaluationRequest, run: DictConfig, files: RunFiles, task: str) -> None:
    """Raise a UserError if what the evaluation takes from the run's configuration would run code of others."""
    if task == run.task.name and has_own_builder(run.task):
        check_builder(run.task.builder, str(files.config))
    if request.data is None:
        check_readers(run.data, str(files.config))


def judged_side(request: EvaluationRequest, run: DictConfig) -> int | None:
    """Shorter side of judged images in pixels: as asked for, else as the data say, else as the run."""
    of_data = request.data.values.get("val_short_side") if request.data is not None else None
    side: int | None = request.image_size or of_data or run.data.val_short_side
    return side


def refuse_foreign_options(request: EvaluationRequest, task: DictConfig) -> None:
    """Raise a UserError if options are given that a task of the coarse stage does not read."""
    is_coarse = has_own_builder(task) or task.name in COARSE_TASKS
    if request.evaluation and is_coarse and not find_task_builder(task).has_evaluation_options:
        raise UserError(f"evaluation.{min(request.evaluation)} is no option of task={task.name}.")
