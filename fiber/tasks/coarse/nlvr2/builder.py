"""What NLVR2 contributes to a run."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from fiber.checkpoints.original_coarse import TensorName, visual_reasoning_names
from fiber.data.readers.task_readers import StatementReader
from fiber.data.statement_collate import StatementCollator
from fiber.data.statement_dataset import StatementDataset
from fiber.models.config import FusionConfig
from fiber.models.visual_reasoning_model import FiberForVisualReasoning
from fiber.tasks.coarse.nlvr2.evaluator import Nlvr2Evaluator
from fiber.tasks.coarse.nlvr2.task import Nlvr2FineTuning
from fiber.tasks.coarse.task_builder import TaskBuilder
from fiber.tasks.optimizer import OptimizationConfig
from fiber.tasks.split_evaluator import Evaluator


class Nlvr2Builder(TaskBuilder):
    """Statements about two images."""

    reader_kind = StatementReader
    wanted = "statements about two images"

    def model(self, sizes: FusionConfig) -> nn.Module:
        return FiberForVisualReasoning(sizes)

    def original_names(self, sizes: FusionConfig) -> Sequence[TensorName]:
        return visual_reasoning_names(sizes)

    def training_samples(self, reader: StatementReader) -> StatementDataset:
        return StatementDataset(
            reader,
            transform=self.data.transform(),
            seed=self.data.seed,
            training=True,
            max_samples=self.data.max_train_samples,
        )

    def evaluation_samples(self, reader: StatementReader) -> StatementDataset:
        return StatementDataset(reader, transform=self.data.val_transform(), seed=self.data.seed, training=False)

    def collator(self) -> StatementCollator:
        return StatementCollator(self.tokenizer, max_text_length=self.data.max_text_length)

    def evaluator(self, reader: StatementReader) -> Nlvr2Evaluator:
        return Nlvr2Evaluator(reader.name, num_samples=len(reader))

    def task(
        self, model: Any, *, optimization: OptimizationConfig, evaluator: Evaluator, train: Sequence[Any]
    ) -> Nlvr2FineTuning:
        return Nlvr2FineTuning(model, optimization=optimization, tokenizer=self.tokenizer, evaluator=evaluator)
