"""From a composed configuration to the objects that every stage needs."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig

from fiber.checkpoints.initialization import InitializationReport
from fiber.checkpoints.pretrained import load_pretrained_image, load_pretrained_text
from fiber.checkpoints.run_folder import TOKENIZER_FOLDER, run_of
from fiber.data.data_module import TrainingDataModule
from fiber.data.tokenization import TOKENIZER_FILE, TextTokenizer, load_tokenizer, train_tokenizer
from fiber.models.fusion_backbone import FusionBackbone
from fiber.tasks.task import TrainingTask
from fiber.utils.configs import plain
from fiber.utils.errors import UserError

R = TypeVar("R")


class RunParts(NamedTuple):
    """What a stage and a task contribute to a run."""

    task: TrainingTask
    data_module: TrainingDataModule
    initialization: InitializationReport | None = None
    """How the model starts from an earlier run."""
    learned_files: Mapping[str, str] = {}
    """What was taken from the training data, by file name, to be kept in the run's directory."""
    check_first: bool = False
    """Judge the model before it learns anything."""
    final_split: str | None = None
    """Split on which the best model is judged in the end."""


class TextSource(Protocol):
    """A reader with texts to train a tokeniser on."""

    def texts(self) -> Iterator[str]: ...


MAX_TOKENIZER_TEXTS = 100_000
READER_KEYS = ("train", "val", "splits", "weights")


def build_reader(config: DictConfig, kind: type[R], *, wanted: str, suited: str | None = None) -> R:
    """A reader from its `_target_`.

    Args:
        config: class and arguments.
        kind: of reader that the stage reads.
        wanted: what it reads, for messages.
        suited: option of the `data` group that would do, for messages, where the caller knows one.

    Raises:
        UserError: what the reader says, arguments it does not take, or a reader of another kind.
    """
    try:
        reader = hydra.utils.instantiate(config)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise UserError(f"data: cannot build {config._target_}: {error.__cause__ or error}") from error
    if not isinstance(reader, kind):
        example = "" if suited is None else f", such as data={suited}"
        raise UserError(f"data: {config._target_} reads no {wanted}: choose data for this stage and task{example}.")
    return reader


def build_tokenizer(config: DictConfig, readers: Sequence[TextSource], *, source: Path | None = None) -> TextTokenizer:
    """RoBERTa's tokeniser, that of an earlier run, or one trained on the readers' texts.

    Args:
        config: the `tokenizer` part.
        readers: whose texts a tokeniser is trained on where `config` names none.
        source: checkpoint of an earlier run, whose tokeniser serves instead if it left one beside it.
    """
    if config.path is not None:
        return load_tokenizer(config.path)
    if source is not None:
        folder = run_of(source) / TOKENIZER_FOLDER
        if (folder / TOKENIZER_FILE).is_file():
            return load_tokenizer(str(folder))
    texts = chain.from_iterable(reader.texts() for reader in readers)
    return train_tokenizer(islice(texts, MAX_TOKENIZER_TEXTS), config.vocab_size)


def load_published_weights(backbone: FusionBackbone, config: DictConfig) -> None:
    """Start from the published Swin and RoBERTa that the `model` part names."""
    if config.pretrained_image is not None:
        load_pretrained_image(backbone, config.pretrained_image)
    if config.pretrained_text is not None:
        load_pretrained_text(backbone, config.pretrained_text)


def optimization_values(config: DictConfig, *, num_samples: int) -> dict[str, Any]:
    """The `optimization` part, its steps derived where it counts epochs; `max_steps` goes before `max_epochs`."""
    values = plain(config.optimization)
    epochs = values.pop("max_epochs", None)
    if values.get("max_steps") is None and epochs is not None:
        values["max_steps"] = max(1, int(epochs * num_samples / values["batch_size"]))
    return values
