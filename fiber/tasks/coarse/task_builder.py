"""What one task of the coarse stage contributes to a run: everything that other tasks do differently."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import DictConfig
from torch import nn
from torch.utils.data import Dataset

from fiber.checkpoints.original_coarse import TensorName
from fiber.data.coarse_data_config import CoarseDataConfig
from fiber.data.data_module import Collate
from fiber.data.mixture import SampleSource
from fiber.data.readers.base import Reader
from fiber.data.tokenization import TextTokenizer
from fiber.models.config import FusionConfig
from fiber.tasks.coarse.fine_tuning import FineTuning
from fiber.tasks.optimizer import OptimizationConfig
from fiber.tasks.split_evaluator import Evaluator


class TaskBuilder(ABC):
    """Builds the parts of a task.

    Readers of its kind have `texts()` to train a tokeniser on, as `CaptionReader` has.

    Args:
        config: of the whole run; a task reads `objective` and `evaluation`, say.
        tokenizer: of the texts.
        data: how samples become batches.
    """

    reader_kind: ClassVar[type[Reader]]
    """What the task reads."""
    wanted: ClassVar[str]
    """The same in a word, for messages: `questions`."""
    data_config: ClassVar[type[CoarseDataConfig]] = CoarseDataConfig
    """Options of the `data` part."""
    has_evaluation_options: ClassVar[bool] = False
    """Whether the task reads the `evaluation` part."""

    def __init__(self, config: DictConfig, *, tokenizer: TextTokenizer, data: CoarseDataConfig) -> None:
        self.config = config
        self.tokenizer = tokenizer
        self.data = data

    def learn(self, train: Sequence[Any]) -> None:  # noqa: B027
        """Take from the training readers what the model depends on, such as an answer vocabulary."""

    def learned_files(self) -> dict[str, str]:
        """What `learn` found, by file name, to be kept in the run's directory."""
        return {}

    def recall(self, run: Path) -> None:  # noqa: B027
        """Read `learned_files` from the directory of an earlier run instead of learning."""

    @abstractmethod
    def model(self, sizes: FusionConfig) -> nn.Module:
        """The network, with its backbone under the name `backbone`."""

    @abstractmethod
    def original_names(self, sizes: FusionConfig) -> Sequence[TensorName]:
        """The original's name of every tensor of the model."""

    @abstractmethod
    def training_samples(self, reader: Any) -> SampleSource[Any]:
        """Samples to learn from."""

    @abstractmethod
    def evaluation_samples(self, reader: Any) -> Dataset[Any]:
        """Samples to be judged on, each once, in order."""

    @abstractmethod
    def collator(self) -> Collate:
        """Samples to a training batch."""

    def evaluation_collator(self) -> Collate:
        """Samples to a batch to be judged on."""
        return self.collator()

    @abstractmethod
    def evaluator(self, reader: Any) -> Evaluator:
        """How a split is judged."""

    @abstractmethod
    def task(
        self, model: Any, *, optimization: OptimizationConfig, evaluator: Evaluator, train: Sequence[Any]
    ) -> FineTuning:
        """The Lightning module.

        Args:
            model: what `model` built, weights loaded.
            optimization: optimiser, groups and schedule.
            evaluator: of the validation split.
            train: the training readers.
        """
