"""Runs of the fine stage from their configuration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, open_dict

from fiber.checkpoints.detector_initialization import initialize_detector
from fiber.checkpoints.initialization import find_checkpoint_file
from fiber.checkpoints.model_configs import build_detector_config
from fiber.checkpoints.run_folder import CONFIG_FILE, run_of
from fiber.checkpoints.trained_run import read_run_config
from fiber.data.few_shot import FewShotSubset, few_shot_subset
from fiber.data.grounding_data_module import (
    FineDataConfig,
    build_grounding_data,
    class_prompts,
    has_fixed_prompt,
    prompts_of,
)
from fiber.data.readers.missing_images import check_missing
from fiber.data.readers.task_readers import BoxReader, DetectionReader
from fiber.data.tokenization import TextTokenizer
from fiber.detection.prompt_sampling import prompt_lengths
from fiber.models.grounded_detector import GroundedDetector
from fiber.objectives.grounding import GroundingCriterion, GroundingCriterionConfig
from fiber.tasks.building import (
    READER_KEYS,
    RunParts,
    build_tokenizer,
    load_published_weights,
    optimization_values,
)
from fiber.tasks.fine.boxes.evaluators import SplitJudge, box_evaluator
from fiber.tasks.fine.boxes.options import BoxEvaluationConfig
from fiber.tasks.fine.detector_training import DetectorTraining
from fiber.tasks.fine.freezing import freeze_image_stages
from fiber.tasks.fine.readers import FineReaders, build_readers, final_split, require_same_classes
from fiber.tasks.fine.tasks import FINE_TASKS, PRETRAINING, FineTask
from fiber.tasks.fine.tuning import Tuning, restrict_training
from fiber.tasks.optimizer import FineOptimizationConfig
from fiber.tasks.trainer_config import Strategy, TrainerConfig
from fiber.utils.configs import build_dataclass, convert, plain
from fiber.utils.errors import UserError

PUBLISHED: Mapping[str, Any] = {"channel_order": "bgr", "query_norm": True, "coarser_sampling": "rewrapped"}
"""Options of the detector that its weights belong to."""
FEW_SHOT_FILE = "few_shot.json"
"""What a run learned from, in its directory."""


class Judge(NamedTuple):
    """What judging a split takes beside the model."""

    tokenizer: TextTokenizer
    data: FineDataConfig
    options: BoxEvaluationConfig
    text_budget: int

    def evaluator(self, reader: BoxReader) -> SplitJudge:
        """How a split is judged."""
        most = self.data.max_val_samples
        return box_evaluator(
            reader,
            tokenizer=self.tokenizer,
            options=self.options,
            text_budget=self.text_budget,
            num_samples=len(reader) if most is None else min(most, len(reader)),
            prompts=class_prompts(reader, self.data) if isinstance(reader, DetectionReader) else None,
        )


def build_detector_training(config: DictConfig, trainer: TrainerConfig, *, resuming: bool) -> RunParts:
    """Pre-training or a task of the fine stage, with its data.

    Args:
        config: composed from `configs/train.yaml` with `stage=fine`.
        trainer: the part of it that depends on the hardware.
        resuming: weights will come from a checkpoint.

    Raises:
        UserError: anything in the configuration, the data or `init_from` that the user can mend.
    """
    if trainer.compile:
        raise UserError(
            "trainer.compile=true: images of the fine stage vary in size, each a graph of its own: leave it."
        )
    task = FINE_TASKS.get(config.task.name, PRETRAINING)
    source = find_checkpoint_file(config.init_from)
    tuning = convert(Tuning, config.get("tuning", Tuning.FULL), "tuning")
    zero_shot = convert(bool, config.get("zero_shot", False), "zero_shot")
    settle_detector(config, source, tuning)
    readers = build_readers(config)
    if readers.final is not None:
        refuse_sharded_judging(config, trainer)
    tokenizer = build_tokenizer(config.tokenizer, readers.train, source=source)
    detector = build_detector_config(config, vocab_size=tokenizer.vocab_size)
    data = fine_data_config(config, trainer)
    if task is not PRETRAINING:  # which learns from several sets
        require_same_classes(readers, ordered=data.prompts is not None or tuning.trains_prompt)
    refuse_moving_prompts(tuning, readers.train, data, tokenizer)
    subset = choose_subset(readers.train, data)
    data_module = build_grounding_data(
        data,
        train=readers.train,
        val=readers.val,
        tokenizer=tokenizer,
        weights=config.data.weights,
        subset=None if subset is None else subset.indices,
        even=trainer.strategy is Strategy.FSDP,
    )
    judge = Judge(tokenizer, data, evaluation_options(config, task), detector.text_budget)
    evaluators = [judge.evaluator(reader) for reader in readers.val]
    model = GroundedDetector(detector)
    initialization = None
    if not resuming and source is not None:
        initialization = initialize_detector(model, source)
    elif not resuming:
        load_published_weights(model.backbone, config.model)
    freeze_image_stages(model.backbone, config.frozen_stages)
    restrict_training(model, tuning)
    values = optimization_values(config, num_samples=len(data_module.train_samples))
    criterion = build_dataclass(GroundingCriterionConfig, plain(config.objective), "objective")
    module = DetectorTraining(
        model,
        criterion=GroundingCriterion(detector, criterion),
        optimization=build_dataclass(FineOptimizationConfig, values, "optimization"),
        tokenizer=tokenizer,
        evaluators=evaluators,
        monitored=f"val/{evaluators[0].monitored}",
        warnings=[] if subset is None else subset.warnings(),
    )
    if task is not PRETRAINING:  # whose millions of files take minutes to look for
        most = data.max_train_samples if subset is None else None  # a subset's are anywhere
        for reader in readers.train:
            check_missing(reader, allowed_share=data.max_broken, max_samples=most)
        for reader in readers.val:
            check_missing(reader, allowed_share=0.0, max_samples=data.max_val_samples)
        if readers.final is not None:
            check_missing(readers.final, allowed_share=0.0)  # all of it is judged
    files = {} if subset is None else {FEW_SHOT_FILE: subset.to_json()}
    return RunParts(
        module,
        data_module,
        initialization,
        files,
        check_first=zero_shot,
        final_split=final_split(config),
    )


def refuse_sharded_judging(config: DictConfig, trainer: TrainerConfig) -> None:
    """Raise a UserError if the best model could not be judged in the end."""
    if trainer.strategy is Strategy.FSDP:
        raise UserError(
            f"final_split={config.final_split} judges the whole model, trainer=fsdp keeps it in parts: give "
            "final_split=null, or trainer=ddp."
        )


def check_data(config: DictConfig, trainer: TrainerConfig) -> None:
    """Raise a UserError if the data of a run are missing, or make no optimiser step; its model is not built.

    Args:
        config: composed from `configs/train.yaml` with `stage=fine`.
        trainer: the part of it that depends on the hardware.
    """
    readers = build_readers(config)
    data = fine_data_config(config, trainer)
    count = count_training_samples(readers, data)
    if count < config.optimization.batch_size:
        shots = "" if data.shots is None else f"data.shots={data.shots}: "
        raise UserError(
            f"{shots}{readers.train[0].name} gives {count} of the {config.optimization.batch_size} training samples "
            "that one step takes: lower optimization.batch_size, and trainer.batch_size with it."
        )


def count_training_samples(readers: FineReaders, data: FineDataConfig) -> int:
    """Samples of an epoch."""
    subset = choose_subset(readers.train, data)
    if subset is not None:
        return data.num_copies * len(subset.indices)
    return data.num_copies * sum(len(range(len(reader))[: data.max_train_samples]) for reader in readers.train)


def settle_detector(config: DictConfig, source: Path | None, tuning: Tuning) -> None:
    """Fill in what the recipe leaves open of the detector: as the run in init_from, or as published."""
    run = run_of(source) / CONFIG_FILE if source is not None else None
    earlier = read_run_config(run) if run is not None and run.is_file() else None
    inherited = earlier.detector if earlier is not None and earlier.stage.name == config.stage.name else PUBLISHED
    for key in PUBLISHED:
        if config.detector[key] is None:
            config.detector[key] = inherited[key]
    if config.detector.get("prompt_offsets") is None:
        with open_dict(config.detector):
            config.detector.prompt_offsets = tuning.trains_prompt or bool(inherited.get("prompt_offsets"))


def fine_data_config(config: DictConfig, trainer: TrainerConfig) -> FineDataConfig:
    """How samples become batches.

    Raises:
        UserError: an option that there is not, or a value that it cannot have.
    """
    values = {key: value for key, value in plain(config.data).items() if key not in (*READER_KEYS, "dataset")}
    values |= {"batch_size": trainer.batch_size, "num_workers": trainer.num_workers, "seed": config.seed}
    values |= {"text_budget": config.max_text_length, "transform": plain(config.transform)}
    return build_dataclass(FineDataConfig, values, "data")


def refuse_moving_prompts(
    tuning: Tuning, train: Sequence[BoxReader], data: FineDataConfig, tokenizer: TextTokenizer
) -> None:
    """Raise a UserError if a prompt is to be tuned in which no class has a place of its own."""
    for reader in train if tuning.trains_prompt else ():
        if not isinstance(reader, DetectionReader):
            continue
        needed = prompt_length(reader, data, tokenizer)
        if needed > data.text_budget:
            raise UserError(
                f"tuning={tuning} learns an offset of every place in the prompt, but that of all "
                f"{len(reader.classes)} classes of {reader.name} needs {needed} of max_text_length="
                f"{data.text_budget} tokens: give max_text_length={needed} or more, or another tuning."
            )
        if data.negatives.shuffle or not has_fixed_prompt(prompts_of(reader, data, tokenizer)):
            raise UserError(
                f"tuning={tuning} learns an offset of every place in the prompt, but that of {reader.name} changes "
                "from image to image: give data.negatives.shuffle=false and data.all_classes=true."
            )


def prompt_length(reader: DetectionReader, data: FineDataConfig, tokenizer: TextTokenizer) -> int:
    """Tokens of the prompt of all classes in their order."""
    [length] = prompt_lengths(class_prompts(reader, data), count_tokens=tokenizer.count, shuffle=False)
    return length


def evaluation_options(config: DictConfig, task: FineTask) -> BoxEvaluationConfig:
    """Which boxes count: as for the task, where the configuration does not say otherwise.

    Raises:
        UserError: an option that there is not, or a value that it cannot have.
    """
    given = {key: value for key, value in (plain(config).get("evaluation") or {}).items() if value is not None}
    return build_dataclass(BoxEvaluationConfig, vars(task.options) | given, "evaluation")


def choose_subset(train: Sequence[BoxReader], data: FineDataConfig) -> FewShotSubset | None:
    """What is learned from; None where that is everything.

    Raises:
        UserError: there are several training sets, or one without classes.
    """
    if data.shots is None:
        return None
    reader = train[0]
    if len(train) > 1 or not isinstance(reader, DetectionReader):
        raise UserError(f"data.shots={data.shots} counts the classes of one training set with classes: leave it null.")
    return few_shot_subset(reader, shots=data.shots, seed=data.shot_seed, max_images=data.max_train_samples)
