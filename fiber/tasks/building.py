"""From a composed configuration to the objects of a run."""

from itertools import chain, islice
from typing import Any, cast

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from fiber.checkpoints.pretrained import load_pretrained_image, load_pretrained_text
from fiber.data.pair_data_module import PairDataConfig, PairDataModule
from fiber.data.readers.base import CaptionReader
from fiber.data.tokenization import TextTokenizer, load_tokenizer, train_tokenizer
from fiber.data.transforms import STRIDE
from fiber.models.config import FusionConfig
from fiber.models.pretraining_model import FiberForPretraining
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass
from fiber.utils.errors import UserError

MAX_TOKENIZER_TEXTS = 100_000
READER_KEYS = ("train", "val", "weights")
PRETRAINED_KEYS = ("pretrained_image", "pretrained_text")


def plain(config: DictConfig) -> dict[str, Any]:
    """A part of the configuration as a resolved mapping."""
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))


def build_reader(config: DictConfig) -> CaptionReader:
    """A reader from its `_target_`.

    Raises:
        UserError: what the reader says, or arguments it does not take.
    """
    try:
        return cast(CaptionReader, hydra.utils.instantiate(config))
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise UserError(f"data: cannot build {config._target_}: {error.__cause__ or error}") from error


def build_tokenizer(config: DictConfig, readers: list[CaptionReader]) -> TextTokenizer:
    """RoBERTa's tokeniser, or one trained on the readers' texts."""
    if config.path is not None:
        return load_tokenizer(config.path)
    texts = chain.from_iterable(reader.texts() for reader in readers)
    return train_tokenizer(islice(texts, MAX_TOKENIZER_TEXTS), config.vocab_size)


def build_data(config: DictConfig, trainer: TrainerConfig) -> tuple[PairDataModule, TextTokenizer]:
    """Readers, tokeniser and batches."""
    if config.image_size < STRIDE or config.image_size % STRIDE:
        raise UserError(f"image_size={config.image_size}: give a multiple of {STRIDE} pixels.")
    values = {key: value for key, value in plain(config.data).items() if key not in READER_KEYS}
    values |= {"image_size": config.image_size, "max_text_length": config.max_text_length, "seed": config.seed}
    values |= {"batch_size": trainer.batch_size, "num_workers": trainer.num_workers}
    settings = build_dataclass(PairDataConfig, values, "data")
    train = [build_reader(reader) for reader in config.data.train]
    tokenizer = build_tokenizer(config.tokenizer, train)
    data_module = PairDataModule(
        settings,
        train=train,
        val=build_reader(config.data.val),
        tokenizer=tokenizer,
        weights=config.data.weights,
    )
    return data_module, tokenizer


def build_model_config(config: DictConfig, *, image_size: int, max_text_length: int, vocab_size: int) -> FusionConfig:
    """Sizes of the model, those derived from data filled in.

    Args:
        config: the `model` part.
        image_size: side in pixels; gives the window where none is set.
        max_text_length: tokens.
        vocab_size: of the tokeniser.

    Raises:
        UserError: texts longer than the model's positions.
    """
    values = {key: value for key, value in plain(config).items() if key not in PRETRAINED_KEYS}
    window = values["image"].pop("window_size", None)
    model = build_dataclass(FusionConfig, values, "model").with_vocabulary(vocab_size)
    longest = model.text.max_positions - model.text.pad_id - 1
    if max_text_length > longest:
        raise UserError(f"max_text_length={max_text_length} is more than model.text.max_positions allows: {longest}.")
    return model.with_window(window or image_size // model.image.stride)


def build_pretraining_model(config: DictConfig, *, vocab_size: int, pretrained: bool) -> FiberForPretraining:
    """The network, from published weights where the model names them and `pretrained` holds."""
    sizes = build_model_config(
        config.model,
        image_size=config.image_size,
        max_text_length=config.max_text_length,
        vocab_size=vocab_size,
    )
    model = FiberForPretraining(sizes)
    if pretrained and config.model.pretrained_image is not None:
        load_pretrained_image(model.backbone, config.model.pretrained_image)
    if pretrained and config.model.pretrained_text is not None:
        load_pretrained_text(model.backbone, config.model.pretrained_text)
    return model
