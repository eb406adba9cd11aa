"""Fine-tuning for a task of the coarse stage from its configuration."""

from typing import Any

from omegaconf import DictConfig
from torch import nn

from fiber.checkpoints.initialization import InitializationReport, find_checkpoint_file
from fiber.checkpoints.model_configs import build_model_config
from fiber.checkpoints.task_initialization import initialize_task
from fiber.data.coarse_data_config import CoarseDataConfig
from fiber.data.data_module import TrainingDataModule
from fiber.data.mixture import Mixture
from fiber.data.transforms import STRIDE, require_image_size
from fiber.models.config import FusionConfig
from fiber.tasks.building import (
    READER_KEYS,
    RunParts,
    build_reader,
    build_tokenizer,
    load_published_weights,
    optimization_values,
)
from fiber.tasks.coarse.task_builder import TaskBuilder
from fiber.tasks.coarse.tasks import COARSE_TASKS
from fiber.tasks.optimizer import CoarseOptimizationConfig
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass, plain


def build_fine_tuning(
    config: DictConfig, trainer: TrainerConfig, *, resuming: bool, builder_type: type[TaskBuilder]
) -> RunParts:
    """Task and data.

    Args:
        config: composed from `configs/train.yaml` with `stage=coarse`.
        trainer: the part of it that depends on the hardware.
        resuming: weights will come from a checkpoint.
        builder_type: of the task.
    """
    require_image_size(config.image_size)
    source = find_checkpoint_file(config.init_from)
    train = [build_task_reader(reader, builder_type, config.task.name) for reader in config.data.train]
    val = build_task_reader(config.data.val, builder_type, config.task.name)
    tokenizer = build_tokenizer(config.tokenizer, train, source=source)
    data = coarse_data_config(config, trainer, builder_type.data_config)
    builder = builder_type(config, tokenizer=tokenizer, data=data)
    builder.learn(train)
    evaluator = builder.evaluator(val)
    data_module = TrainingDataModule(
        data,
        train=Mixture([builder.training_samples(reader) for reader in train], weights=config.data.weights),
        val=[builder.evaluation_samples(val)] * evaluator.num_passes,
        collate=builder.collator(),
        val_collate=builder.evaluation_collator(),
    )
    sizes = build_sizes(config, vocab_size=tokenizer.vocab_size)
    model = builder.model(sizes)
    initialization = None if resuming else start_from(config, builder, model, sizes)
    values = optimization_values(config, num_samples=len(data_module.train_samples))
    optimization = build_dataclass(CoarseOptimizationConfig, values, "optimization")
    task = builder.task(model, optimization=optimization, evaluator=evaluator, train=train)
    return RunParts(task, data_module, initialization, builder.learned_files())


def build_task_reader(config: DictConfig, builder_type: type[TaskBuilder], task: str) -> Any:
    """A reader of what the task of that name reads."""
    suited = f"coarse_{task}" if task in COARSE_TASKS else None
    return build_reader(config, builder_type.reader_kind, wanted=builder_type.wanted, suited=suited)


def coarse_data_config(
    config: DictConfig, trainer: TrainerConfig, kind: type[CoarseDataConfig] = CoarseDataConfig
) -> CoarseDataConfig:
    """How samples become batches."""
    values = {key: value for key, value in plain(config.data).items() if key not in READER_KEYS}
    values |= {"image_size": config.image_size, "max_text_length": config.max_text_length, "seed": config.seed}
    values |= {"batch_size": trainer.batch_size, "num_workers": trainer.num_workers}
    return build_dataclass(kind, values, "data")


def build_sizes(config: DictConfig, *, vocab_size: int) -> FusionConfig:
    """Sizes of the model."""
    return build_model_config(
        config.model,
        default_window=config.image_size // STRIDE,
        max_text_length=config.max_text_length,
        vocab_size=vocab_size,
    )


def start_from(
    config: DictConfig, builder: TaskBuilder, model: nn.Module, sizes: FusionConfig
) -> InitializationReport | None:
    """Weights of the checkpoint that `init_from` names, or of published models."""
    source = find_checkpoint_file(config.init_from)
    if source is None:
        load_published_weights(model.backbone, config.model)  # type: ignore[arg-type]
        return None
    names = builder.original_names(sizes)
    return initialize_task(model, names, source, window_size=sizes.image.window_size)
