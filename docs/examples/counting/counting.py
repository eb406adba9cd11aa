"""Counting: a number for a question such as `how many red circles are there ?`."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from fiber.checkpoints.original_coarse import TensorName, backbone_names, projection_names
from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.normalization import normalize_pixels
from fiber.data.question_batch import QuestionBatch
from fiber.data.question_collate import QuestionCollator
from fiber.data.question_dataset import QuestionDataset
from fiber.data.readers.task_readers import QuestionReader
from fiber.models.config import FusionConfig
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.heads import ClassificationHead, CrossModalHead
from fiber.models.initialization import initialize
from fiber.tasks.coarse.fine_tuning import FineTuning
from fiber.tasks.coarse.sheet_evaluator import SheetEvaluator
from fiber.tasks.coarse.sheets import SheetLine, SheetRow
from fiber.tasks.coarse.task_builder import TaskBuilder

NUMBERS = AnswerVocabulary([str(number) for number in range(21)])
"""Answers that are learned from; the label of each is the number itself."""


class CountingModel(nn.Module):
    """The fused backbone and one number for every pair of image and question."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.backbone = FusionBackbone(config)
        self.cross_modal_head = CrossModalHead(config)
        width = 2 * config.projection_size
        self.counter = ClassificationHead(width, hidden=width, num_classes=1)
        initialize(self, config.initializer_std)

    def forward(self, batch: QuestionBatch) -> Tensor:
        """Numbers, B."""
        image = self.backbone.encode_image(normalize_pixels(batch.image))
        text = self.backbone.encode_text(batch.text_ids, batch.text_mask)
        return self.counter(self.cross_modal_head(self.backbone.fuse(image, text)).pooled).squeeze(1)


class CountingTask(FineTuning):
    """Learns the number by smooth L1 loss; logs `train/counting_loss`."""

    def losses(self, batch: QuestionBatch) -> Mapping[str, Tensor]:
        return {"counting": F.smooth_l1_loss(self.model(batch), batch.targets.argmax(dim=1).float())}


class Count(NamedTuple):
    found: float
    true: int

    @property
    def is_right(self) -> bool:
        return round(self.found) == self.true


class CountingEvaluator(SheetEvaluator[QuestionBatch, Count]):
    """Metrics: `counting/accuracy` of the rounded numbers, and `counting/mean_absolute_error`."""

    monitored = "counting/accuracy"

    def __init__(self, reader: QuestionReader) -> None:
        super().__init__(reader.name, num_samples=len(reader))
        self.reader = reader

    def judge(self, model: nn.Module, batch: QuestionBatch) -> Mapping[int, Count]:
        samples, found = batch.sample.tolist(), model(batch).tolist()
        return {
            sample: Count(number, int(self.reader.question(sample).common_answer))
            for sample, number in zip(samples, found, strict=True)
        }

    def summarize(self, results: Sequence[Count]) -> dict[str, float]:
        return {
            "counting/accuracy": sum(one.is_right for one in results) / len(results),
            "counting/mean_absolute_error": sum(abs(one.found - one.true) for one in results) / len(results),
        }

    def result_files(self, results: Sequence[Count]) -> dict[str, str]:
        return {"counts.json": json.dumps([one._asdict() for one in results]) + "\n"}

    def draw(self, batch: QuestionBatch, results: Sequence[Count]) -> list[SheetRow]:
        asked = [self.reader.question(sample).text for sample in batch.sample.tolist()]
        return [
            SheetRow((image,), (SheetLine(text), SheetLine(f"{one.found:.1f}, truly {one.true}", one.is_right)))
            for image, text, one in zip(batch.image, asked, results, strict=False)
        ]


class CountingBuilder(TaskBuilder):
    """What counting contributes to a run. Every question of the validation data must have a number for an answer."""

    reader_kind = QuestionReader
    wanted = "questions"

    def model(self, sizes: FusionConfig) -> CountingModel:
        return CountingModel(sizes)

    def original_names(self, sizes: FusionConfig) -> Sequence[TensorName]:
        return [*backbone_names(sizes), *projection_names("cross_modal_head")]

    def training_samples(self, reader: QuestionReader) -> QuestionDataset:
        transform, seed = self.data.transform(), self.data.seed
        return QuestionDataset(reader, vocabulary=NUMBERS, transform=transform, seed=seed, training=True)

    def evaluation_samples(self, reader: QuestionReader) -> QuestionDataset:
        transform, seed = self.data.val_transform(), self.data.seed
        return QuestionDataset(reader, vocabulary=NUMBERS, transform=transform, seed=seed, training=False)

    def collator(self) -> QuestionCollator:
        length = self.data.max_text_length
        return QuestionCollator(self.tokenizer, max_text_length=length, num_answers=len(NUMBERS))

    def evaluator(self, reader: QuestionReader) -> CountingEvaluator:
        return CountingEvaluator(reader)

    def task(self, model, *, optimization, evaluator, train) -> CountingTask:
        return CountingTask(model, optimization=optimization, tokenizer=self.tokenizer, evaluator=evaluator)
