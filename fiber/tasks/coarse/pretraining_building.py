"""Coarse pre-training from its configuration."""

from pathlib import Path

from omegaconf import DictConfig

from fiber.checkpoints.initialization import InitializationReport, find_checkpoint_file
from fiber.checkpoints.original_coarse import pretraining_names
from fiber.checkpoints.task_initialization import initialize_task
from fiber.data.pair_data_module import PairDataConfig, PairDataModule
from fiber.data.readers.base import CaptionReader
from fiber.data.tokenization import TextTokenizer
from fiber.data.transforms import require_image_size
from fiber.models.pretraining_model import FiberForPretraining
from fiber.objectives.pretraining import PretrainingObjectiveConfig
from fiber.tasks.building import (
    RunParts,
    build_reader,
    build_tokenizer,
    load_published_weights,
)
from fiber.tasks.coarse.fine_tuning_building import build_sizes, coarse_data_config
from fiber.tasks.coarse.pretraining import CoarsePretraining
from fiber.tasks.optimizer import CoarseOptimizationConfig
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass, plain


def optimization_config(config: DictConfig) -> CoarseOptimizationConfig:
    """The recipe between gradients and weights."""
    return build_dataclass(CoarseOptimizationConfig, plain(config.optimization), "optimization")


def build_coarse_pretraining(config: DictConfig, trainer: TrainerConfig, *, resuming: bool) -> RunParts:
    """Task and data.

    Args:
        config: composed from `configs/train.yaml` with `stage=coarse`.
        trainer: the part of it that depends on the hardware.
        resuming: weights will come from a checkpoint.
    """
    objective = build_dataclass(PretrainingObjectiveConfig, plain(config.objective), "objective")
    source = find_checkpoint_file(config.init_from)
    data_module, tokenizer = build_pair_data(config, trainer, source=source)
    model = FiberForPretraining(build_sizes(config, vocab_size=tokenizer.vocab_size))
    initialization = None if resuming else start_from(config, model, source)
    optimization = optimization_config(config)
    task = CoarsePretraining(
        model, objective=objective, optimization=optimization, tokenizer=tokenizer, seed=config.seed
    )
    return RunParts(task, data_module, initialization)


def build_pair_reader(config: DictConfig) -> CaptionReader:
    """A reader of captioned images."""
    return build_reader(config, CaptionReader, wanted="captions", suited="coarse_pretrain")  # type: ignore[type-abstract]


def build_pair_data(
    config: DictConfig, trainer: TrainerConfig, *, source: Path | None = None
) -> tuple[PairDataModule, TextTokenizer]:
    """Readers, tokeniser and batches; the tokeniser of the run that the checkpoint `source` belongs to, if of one."""
    require_image_size(config.image_size)
    train = [build_pair_reader(reader) for reader in config.data.train]
    settings = coarse_data_config(config, trainer, PairDataConfig)
    assert isinstance(settings, PairDataConfig)
    tokenizer = build_tokenizer(config.tokenizer, train, source=source)
    data_module = PairDataModule(
        settings,
        train=train,
        val=build_pair_reader(config.data.val),
        tokenizer=tokenizer,
        weights=config.data.weights,
    )
    return data_module, tokenizer


def start_from(config: DictConfig, model: FiberForPretraining, source: Path | None) -> InitializationReport | None:
    """Weights of the checkpoint `source`, or of published models where the `model` part names them."""
    if source is None:
        load_published_weights(model.backbone, config.model)
        return None
    sizes = model.config
    return initialize_task(model, pretraining_names(sizes), source, window_size=sizes.image.window_size)
