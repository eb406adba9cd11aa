"""Judging one split of a task, batch by batch and over all processes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from PIL import Image
from torch import nn

from fiber.utils.distributed import gather_objects, rank
from fiber.utils.errors import UserError

ResultFile = str | Image.Image
"""Content of a text file or a PNG."""


class EvaluationResult(NamedTuple):
    """What is known of a split once all of it was judged."""

    metrics: dict[str, float]
    """By name without the split: `vqa/accuracy`; the same on every process."""
    files: dict[str, ResultFile]
    """Result files by name, in the benchmark's official format; on the first process alone."""


class Evaluator(ABC):
    """Judges a split."""

    num_passes: int = 1
    """How often the split's batches are wanted, one pass after the other."""
    monitored: str
    """The metric by which the best model is chosen, without the split; more is better."""

    @abstractmethod
    def add(self, model: nn.Module, batch: Any, *, number: int) -> None:
        """Judge a batch.

        Args:
            model: in evaluation mode.
            batch: on its device.
            number: of the pass, from 0.
        """

    @abstractmethod
    def finish(self, *, files: bool = True) -> EvaluationResult:
        """Sum up over all processes and start anew.

        Args:
            files: whether result files are wanted.

        Raises:
            UserError: nothing was judged.
        """

    @abstractmethod
    def picture(self) -> Image.Image | None:
        """A few predictions of the last split for people to look at; None before the first."""


BatchT = TypeVar("BatchT")
ResultT = TypeVar("ResultT")


class SplitEvaluator(Evaluator, Generic[BatchT, ResultT]):
    """Judges samples one by one; results are small and can be pickled.

    Args:
        name: of the split, for messages.
        num_samples: of the split.
    """

    def __init__(self, name: str, *, num_samples: int) -> None:
        self.name = name
        self.num_samples = num_samples
        self.results: dict[int, ResultT] = {}

    @abstractmethod
    def judge(self, model: nn.Module, batch: BatchT) -> Mapping[int, ResultT]:
        """Results of a batch by the place of their samples in the split; called without gradient."""

    @abstractmethod
    def summarize(self, results: Sequence[ResultT]) -> dict[str, float]:
        """Metrics of a split, from the results of all its samples in order."""

    def keep(self, batch: BatchT, results: Sequence[ResultT]) -> None:
        """Keep the first samples of a batch and their results for the picture, in place of earlier ones."""

    def result_files(self, results: Sequence[ResultT]) -> dict[str, ResultFile]:
        """Official result files by name, from the results of all samples in order."""
        return {}

    @torch.no_grad()
    def add(self, model: nn.Module, batch: BatchT, *, number: int) -> None:
        judged = self.judge(model, batch)
        assert not judged.keys() & self.results.keys(), "a sample was judged twice"
        if not self.results:
            self.keep(batch, list(judged.values()))
        self.results.update(judged)

    def finish(self, *, files: bool = True) -> EvaluationResult:
        everyone = gather_objects(self.results)
        self.results = {}
        judged = {sample: result for part in everyone for sample, result in part.items()}
        if not judged:
            raise UserError(f"{self.name}: nothing was evaluated.")
        assert sum(map(len, everyone)) == len(judged), "a sample was judged by two processes"
        assert sorted(judged) == list(range(self.num_samples)), "a sample was not judged"
        ordered = [judged[sample] for sample in range(self.num_samples)]
        # One process sums up for all: some benchmarks' evaluators take minutes.
        metrics = gather_objects(self.summarize(ordered) if rank() == 0 else {})[0]
        return EvaluationResult(metrics, self.result_files(ordered) if files and rank() == 0 else {})
