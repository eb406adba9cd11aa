"""Judging a model of the coarse stage."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from fiber.checkpoints.initialization import POSITION_BIAS
from fiber.checkpoints.position_bias import resize_position_bias
from fiber.checkpoints.trained_run import RunFiles, read_run_config, read_run_weights
from fiber.data.data_module import EvaluationDataModule
from fiber.data.tokenization import TextTokenizer
from fiber.tasks.coarse.fine_tuning_building import build_sizes, build_task_reader, coarse_data_config
from fiber.tasks.coarse.tasks import find_task_builder
from fiber.tasks.judging import Judging, fill, find_split
from fiber.tasks.trainer_config import TrainerConfig


def build_coarse_judging(config: DictConfig, files: RunFiles, settings: TrainerConfig, *, split: str) -> Judging:
    """Model, evaluator and data.

    Args:
        config: of the run, with what the evaluation sets.
        files: of the run.
        settings: of the hardware.
        split: name in the data.

    Raises:
        UserError: the data lack the split, or the checkpoint does not fit.
    """
    builder_type = find_task_builder(config.task)
    reader = build_coarse_reader(config, split)
    tokenizer = TextTokenizer.from_file(files.tokenizer)
    data = coarse_data_config(config, settings, builder_type.data_config)
    builder = builder_type(config, tokenizer=tokenizer, data=data)
    builder.recall(files.directory)
    evaluator = builder.evaluator(reader)
    sizes = build_sizes(config, vocab_size=tokenizer.vocab_size)
    model = builder.model(sizes)
    weights = resized_to(sizes.image.window_size, read_run_weights(files.checkpoint), model.state_dict())
    trained_for = read_run_config(files.config).task.name
    samples = builder.evaluation_samples(reader)
    data_module = EvaluationDataModule(
        data, val=[samples] * evaluator.num_passes, val_collate=builder.evaluation_collator()
    )
    return Judging(fill(model, weights, files, task=config.task.name, trained_for=trained_for), evaluator, data_module)


def build_coarse_reader(config: DictConfig, split: str) -> Any:
    """The reader of a split.

    Args:
        config: of the run, with what the evaluation sets.
        split: name in the data.

    Raises:
        UserError: the data lack the split, or are of another task.
    """
    return build_task_reader(find_split(config, split), find_task_builder(config.task), config.task.name)


def resized_to(window_size: int, weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with the position biases brought to another image size, where the model's are for one."""
    biases = {name for name in own if name.endswith(POSITION_BIAS) and name in weights}
    changed = {name for name in biases if own[name].shape != weights[name].shape}
    return {
        name: resize_position_bias(value, window_size) if name in changed else value for name, value in weights.items()
    }
