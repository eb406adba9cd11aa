"""A training task with its loss, from a configuration and no data.

Axes: B samples.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor, nn

from fiber.data.tokenization import TextTokenizer, train_tokenizer
from fiber.planning.workload import Workload
from fiber.tasks.building import optimization_values
from fiber.tasks.optimizer import OptimizationConfig
from fiber.tasks.split_evaluator import EvaluationResult, Evaluator
from fiber.tasks.task import TrainingTask
from fiber.utils.configs import build_dataclass


class Sizes:
    """What a model's size takes from the data.

    Args:
        vocab_size: entries of the tokeniser.
        num_answers: to choose from, of question answering.
        num_samples: of an epoch; None where it is not known.
    """

    def __init__(self, *, vocab_size: int, num_answers: int, num_samples: int | None) -> None:
        self.vocab_size = vocab_size
        self.num_answers = num_answers
        self.num_samples = num_samples


class PlannedTask(ABC):
    """A task whose step can be run on random inputs.

    Args:
        config: composed from `configs/train.yaml`.
        sizes: what data would decide.
    """

    optimization_kind: ClassVar[type[OptimizationConfig]]

    def __init__(self, config: DictConfig, sizes: Sizes) -> None:
        self.config = config
        self.sizes = sizes
        # A run of unknown length has the groups of any other.
        samples = sizes.num_samples or config.optimization.batch_size
        values = optimization_values(config, num_samples=samples)
        self.optimization = build_dataclass(self.optimization_kind, values, "optimization")
        self.training = self.build()

    @abstractmethod
    def build(self) -> TrainingTask:
        """The Lightning module, its parameters frozen as the recipe does."""

    @abstractmethod
    def batch(self, load: Workload) -> Any:
        """Random inputs."""

    @abstractmethod
    def loss(self, batch: Any) -> Tensor:
        """What `training_step` minimises."""

    def fill(self, load: Workload) -> None:  # noqa: B027
        """Take the memory that the objective keeps from step to step."""

    def gathered_bytes(self, load: Workload) -> int:
        """Bytes of inputs that every other process gets of this one's batch."""
        return 0

    @property
    def model(self) -> nn.Module:
        """The network."""
        assert isinstance(self.training.model, nn.Module)
        return self.training.model

    def optimizer(self) -> torch.optim.Optimizer:
        """As the recipe groups it."""
        optimizer = self.training.configure_optimizers()["optimizer"]
        assert isinstance(optimizer, torch.optim.Optimizer)
        return optimizer


def any_tokenizer() -> TextTokenizer:
    """For tasks that keep one and do not ask it."""
    return train_tokenizer(["a"], 300)


class NoEvaluator(Evaluator):
    """Takes the place of an evaluator where nothing is judged."""

    monitored = "nothing"

    def add(self, model: nn.Module, batch: Any, *, number: int) -> None:
        raise NotImplementedError

    def finish(self, *, files: bool = True) -> EvaluationResult:
        raise NotImplementedError

    def picture(self) -> Image.Image | None:
        return None
