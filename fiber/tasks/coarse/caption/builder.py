"""What captioning contributes to a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fiber.checkpoints.original_coarse import TensorName, captioning_names
from fiber.data.caption_collate import CaptionCollator
from fiber.data.caption_dataset import CaptionDataset
from fiber.data.readers.base import CaptionReader
from fiber.generation.caption_generator import CaptionGenerator, GenerationConfig
from fiber.models.captioning_model import FiberForCaptioning
from fiber.models.config import FusionConfig
from fiber.tasks.coarse.caption.evaluator import CaptionEvaluator
from fiber.tasks.coarse.caption.objective import CaptionObjectiveConfig, build_objective, caption_vocabulary
from fiber.tasks.coarse.caption.task import CaptionFineTuning
from fiber.tasks.coarse.task_builder import TaskBuilder
from fiber.utils.configs import build_dataclass, plain
from fiber.utils.errors import UserError


@dataclass(frozen=True, kw_only=True)
class CaptionEvaluationConfig(GenerationConfig):
    """How captions are written, and by whom they are judged."""

    official: bool = False
    """Also run the COCO evaluator itself, which takes Java and its time."""


class CaptionBuilder(TaskBuilder):
    """Captions of images."""

    reader_kind = CaptionReader
    wanted = "captions"
    has_evaluation_options = True

    def model(self, sizes: FusionConfig) -> FiberForCaptioning:
        longest = max(self.data.max_text_length, self.evaluation.max_length)
        room = sizes.text.max_positions - sizes.text.pad_id - 1
        if longest > room:
            raise UserError(f"captions of {longest} tokens do not fit the model, which reads {room}: give less.")
        return FiberForCaptioning(sizes)

    def original_names(self, sizes: FusionConfig) -> Sequence[TensorName]:
        return captioning_names(sizes)

    @property
    def evaluation(self) -> CaptionEvaluationConfig:
        """How captions are written and judged."""
        return build_dataclass(CaptionEvaluationConfig, plain(self.config.evaluation), "evaluation")

    def training_samples(self, reader: CaptionReader) -> CaptionDataset:
        return CaptionDataset(
            reader,
            transform=self.data.transform(),
            seed=self.data.seed,
            training=True,
            max_samples=self.data.max_train_samples,
        )

    def evaluation_samples(self, reader: CaptionReader) -> CaptionDataset:
        return CaptionDataset(reader, transform=self.data.val_transform(), seed=self.data.seed, training=False)

    def collator(self) -> CaptionCollator:
        return CaptionCollator(self.tokenizer, max_text_length=self.data.max_text_length)

    def evaluator(self, reader: CaptionReader) -> CaptionEvaluator:
        config = self.evaluation
        write = CaptionGenerator(config, caption_vocabulary(self.tokenizer), seed=self.data.seed)
        return CaptionEvaluator(reader, write=write, tokenizer=self.tokenizer, official=config.official)

    def task(self, model: FiberForCaptioning, *, train: Sequence[CaptionReader], **arguments: Any) -> CaptionFineTuning:
        config = build_dataclass(CaptionObjectiveConfig, plain(self.config.objective), "objective")
        objective = build_objective(config, tokenizer=self.tokenizer, train=train, seed=self.data.seed)
        return CaptionFineTuning(model, objective=objective, tokenizer=self.tokenizer, **arguments)
