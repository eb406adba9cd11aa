"""Validation sets of the fine stage: what a detector is asked and how it is judged."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fiber.data.grounding_batch import EvaluationBatch
from fiber.detection.postprocessing import Detections
from fiber.detection.prompt_chunks import PromptChunk
from fiber.evaluation.detection_ap import DetectedObject, DetectionAveragePrecision, TrueObject
from fiber.evaluation.grounding_recall import GroundingRecall
from fiber.inference.grounding_predictor import EncodedClasses, GroundingPredictor
from fiber.utils.distributed import gather_objects


class ImageResult(NamedTuple):
    """What was found in one validation image."""

    image_index: int
    detections: Detections
    """In pixels of the original image, on the CPU."""
    names: tuple[str, ...]
    """Of the labels that were asked for."""


class BoxValidator(ABC):
    """One validation set: asks, collects, sums up over all processes."""

    name: str
    """Middle part of its metrics' names."""

    @abstractmethod
    def ask(self, predictor: GroundingPredictor, pixels: Tensor, batch: EvaluationBatch) -> list[ImageResult]:
        """Judge a batch and return what was found."""

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """Of everything judged by all processes since the last call."""


class GroundingValidator(BoxValidator):
    """Recall of phrases."""

    name = "grounding"

    def __init__(self) -> None:
        self.recall = GroundingRecall()

    def ask(self, predictor: GroundingPredictor, pixels: Tensor, batch: EvaluationBatch) -> list[ImageResult]:
        prompts = [prompt for prompt in batch.prompts if prompt is not None]
        found = in_original_pixels(predictor.ground(pixels, size_tuples(batch.sizes), prompts), batch)
        for detections, prompt, truths in zip(found, prompts, batch.truths, strict=True):
            labels = range(len(prompt.spans))
            self.recall.add(
                [detections.boxes[detections.labels == label] for label in labels],
                [torch.tensor([t.box for t in truths if t.label == label]).view(-1, 4) for label in labels],
            )
        return [
            ImageResult(index, detections, prompt.names)
            for index, detections, prompt in zip(batch.image_index, found, prompts, strict=True)
        ]

    def metrics(self) -> dict[str, float]:
        total = GroundingRecall()
        total.hits = [hit for hits in gather_objects(self.recall.hits) for hit in hits]
        self.recall = GroundingRecall()
        return total.metrics()


class DetectionValidator(BoxValidator):
    """Average precision over classes.

    Args:
        classes: names.
        chunks: the classes as prompts.
    """

    name = "detection"

    def __init__(self, classes: Sequence[str], chunks: Sequence[PromptChunk]) -> None:
        self.classes = tuple(classes)
        self.chunks = chunks
        self.precision = DetectionAveragePrecision()
        self.encoded: EncodedClasses | None = None
        """The prompts by the weights of this validation."""

    def ask(self, predictor: GroundingPredictor, pixels: Tensor, batch: EvaluationBatch) -> list[ImageResult]:
        self.encoded = self.encoded or predictor.encode_classes(self.chunks)
        found = in_original_pixels(predictor.detect(pixels, size_tuples(batch.sizes), self.encoded), batch)
        for index, detections, truths in zip(batch.image_index, found, batch.truths, strict=True):
            self.precision.add(
                index,
                [TrueObject(index, t.label, t.box, t.is_crowd, t.area) for t in truths],
                [
                    DetectedObject(index, label, (box[0], box[1], box[2], box[3]), score)
                    for box, score, label in zip(*(part.tolist() for part in detections), strict=True)
                ],
            )
        return [ImageResult(index, one, self.classes) for index, one in zip(batch.image_index, found, strict=True)]

    def metrics(self) -> dict[str, float]:
        total = DetectionAveragePrecision()
        for part in gather_objects(self.precision):
            total.images |= part.images
            total.truths += part.truths
            total.detections += part.detections
        self.precision, self.encoded = DetectionAveragePrecision(), None
        return total.metrics()


def size_tuples(sizes: Tensor) -> list[tuple[int, int]]:
    """int64 B 2 -> height and width of each."""
    return [(height, width) for height, width in sizes.tolist()]


def in_original_pixels(found: Sequence[Detections], batch: EvaluationBatch) -> list[Detections]:
    """Detections in the pixels of the pictures before they were resized, on the CPU."""
    scaled = []
    for one, (height, width), size in zip(found, batch.original_sizes, size_tuples(batch.sizes), strict=True):
        scaled.append(one.to("cpu").scaled(width / size[1], height / size[0]))
    return scaled
