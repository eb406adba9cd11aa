"""Judging a detector."""

from omegaconf import DictConfig

from fiber.checkpoints.model_configs import build_detector_config
from fiber.checkpoints.trained_run import RunFiles, read_run_config, read_run_weights
from fiber.data.data_module import EvaluationDataModule
from fiber.data.grounding_collate import collate_evaluation
from fiber.data.grounding_data_module import evaluation_of
from fiber.data.readers.missing_images import check_missing
from fiber.data.readers.task_readers import BoxReader
from fiber.data.tokenization import TextTokenizer
from fiber.models.grounded_detector import GroundedDetector
from fiber.tasks.fine.building import Judge, evaluation_options, fine_data_config
from fiber.tasks.fine.readers import build_box_reader
from fiber.tasks.fine.tasks import FINE_TASKS
from fiber.tasks.judging import Judging, fill, find_split
from fiber.tasks.trainer_config import TrainerConfig


def build_fine_judging(config: DictConfig, files: RunFiles, settings: TrainerConfig, *, split: str) -> Judging:
    """Model, evaluator and data.

    Args:
        config: of the run, with what the evaluation sets.
        files: of the run.
        settings: of the hardware.
        split: name in the data.

    Raises:
        UserError: the data lack the split or are of another task, an option does not exist, or the checkpoint does not
            fit.
    """
    task = FINE_TASKS[config.task.name]
    reader = build_fine_reader(config, split)
    tokenizer = TextTokenizer.from_file(files.tokenizer)
    detector = build_detector_config(config, vocab_size=tokenizer.vocab_size)
    data = fine_data_config(config, settings)
    check_missing(reader, allowed_share=0.0, max_samples=data.max_val_samples)
    judge = Judge(tokenizer, data, evaluation_options(config, task), detector.text_budget)
    trained_for = read_run_config(files.config).task.name
    model = fill(
        GroundedDetector(detector),
        read_run_weights(files.checkpoint),
        files,
        task=config.task.name,
        trained_for=trained_for,
    )
    data_module = EvaluationDataModule(
        data, val=[evaluation_of(reader, data)], val_collate=collate_evaluation, even=False
    )
    return Judging(model, judge.evaluator(reader), data_module)


def build_fine_reader(config: DictConfig, split: str) -> BoxReader:
    """The reader of a split.

    Args:
        config: of the run, with what the evaluation sets.
        split: name in the data.

    Raises:
        UserError: the data lack the split, or are of another task.
    """
    return build_box_reader(find_split(config, split), config.task.name)
