"""Coarse pre-training from its configuration."""

from omegaconf import DictConfig

from fiber.checkpoints.model_configs import build_model_config
from fiber.data.pair_data_module import PairDataConfig, PairDataModule
from fiber.data.readers.base import CaptionReader
from fiber.data.tokenization import TextTokenizer
from fiber.data.transforms import STRIDE
from fiber.models.pretraining_model import FiberForPretraining
from fiber.objectives.pretraining import PretrainingObjectiveConfig
from fiber.tasks.building import (
    READER_KEYS,
    RunParts,
    build_reader,
    build_tokenizer,
    load_published_weights,
)
from fiber.tasks.coarse_pretraining import CoarsePretraining
from fiber.tasks.optimizer import CoarseOptimizationConfig
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass, plain
from fiber.utils.errors import UserError


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
    data_module, tokenizer = build_pair_data(config, trainer)
    model = build_pretraining_model(config, vocab_size=tokenizer.vocab_size, pretrained=not resuming)
    optimization = optimization_config(config)
    task = CoarsePretraining(
        model, objective=objective, optimization=optimization, tokenizer=tokenizer, seed=config.seed
    )
    return RunParts(task, data_module)


def build_pair_reader(config: DictConfig) -> CaptionReader:
    """A reader of captioned images."""
    return build_reader(config, CaptionReader, wanted="captions")  # type: ignore[type-abstract]


def build_pair_data(config: DictConfig, trainer: TrainerConfig) -> tuple[PairDataModule, TextTokenizer]:
    """Readers, tokeniser and batches."""
    if config.image_size < STRIDE or config.image_size % STRIDE:
        raise UserError(f"image_size={config.image_size}: give a multiple of {STRIDE} pixels.")
    train = [build_pair_reader(reader) for reader in config.data.train]
    values = {key: value for key, value in plain(config.data).items() if key not in READER_KEYS}
    values |= {"image_size": config.image_size, "max_text_length": config.max_text_length, "seed": config.seed}
    values |= {"batch_size": trainer.batch_size, "num_workers": trainer.num_workers}
    settings = build_dataclass(PairDataConfig, values, "data")
    tokenizer = build_tokenizer(config.tokenizer, train)
    data_module = PairDataModule(
        settings,
        train=train,
        val=build_pair_reader(config.data.val),
        tokenizer=tokenizer,
        weights=config.data.weights,
    )
    return data_module, tokenizer


def build_pretraining_model(config: DictConfig, *, vocab_size: int, pretrained: bool) -> FiberForPretraining:
    """The network, from published weights where the model names them and `pretrained` holds."""
    sizes = build_model_config(
        config.model,
        default_window=config.image_size // STRIDE,
        max_text_length=config.max_text_length,
        vocab_size=vocab_size,
    )
    model = FiberForPretraining(sizes)
    if pretrained:
        load_published_weights(model.backbone, config.model)
    return model
