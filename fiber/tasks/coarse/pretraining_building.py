"""Coarse pre-training from its configuration."""

from omegaconf import DictConfig

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
    data_module, tokenizer = build_pair_data(config, trainer)
    model = build_pretraining_model(config, vocab_size=tokenizer.vocab_size, pretrained=not resuming)
    optimization = optimization_config(config)
    task = CoarsePretraining(
        model, objective=objective, optimization=optimization, tokenizer=tokenizer, seed=config.seed
    )
    return RunParts(task, data_module)


def build_pair_reader(config: DictConfig) -> CaptionReader:
    """A reader of captioned images."""
    return build_reader(config, CaptionReader, wanted="captions", suited="coarse_pretrain")  # type: ignore[type-abstract]


def build_pair_data(config: DictConfig, trainer: TrainerConfig) -> tuple[PairDataModule, TextTokenizer]:
    """Readers, tokeniser and batches."""
    require_image_size(config.image_size)
    train = [build_pair_reader(reader) for reader in config.data.train]
    settings = coarse_data_config(config, trainer, PairDataConfig)
    assert isinstance(settings, PairDataConfig)
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
    model = FiberForPretraining(build_sizes(config, vocab_size=vocab_size))
    if pretrained:
        load_published_weights(model.backbone, config.model)
    return model
