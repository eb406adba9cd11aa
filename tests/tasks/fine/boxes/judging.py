"""Splits and detectors that say what they are told to.

Axes: B images, H W pixels.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from fiber.data.grounding_batch import EvaluationBatch, Truth
from fiber.data.readers.task_readers import DetectionReader, EntitiesReader, GroundingReader, ReferringReader
from fiber.data.records import Box, GroundedCaption, LabeledBox, Phrase
from fiber.detection.postprocessing import Detections
from fiber.detection.prompt_chunks import PromptChunk
from fiber.detection.prompts import Prompt
from fiber.tasks.fine.boxes.asking import ClassAsker, ImageResult, PhraseAsker
from fiber.tasks.fine.boxes.box_evaluator import BoxEvaluator
from fiber.tasks.fine.boxes.options import BoxEvaluationConfig


def detections(*found: tuple[Box, float, int]) -> Detections:
    """Boxes with their scores and labels."""
    boxes, scores, labels = zip(*found, strict=True) if found else ((), (), ())
    return Detections(
        torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        torch.tensor(scores, dtype=torch.float32),
        torch.tensor(labels, dtype=torch.int64),
    )


def truth(label: int, *box: float, crowd: bool = False) -> Truth:
    return Truth(label, (box[0], box[1], box[2], box[3]), crowd, (box[2] - box[0]) * (box[3] - box[1]))


class WithoutPictures(GroundingReader):
    """Given captions; of a sample only its number is known beside them."""

    name = "given"

    def __init__(self, captions: Sequence[GroundedCaption]) -> None:
        self.captions = captions

    def __len__(self) -> int:
        return len(self.captions)

    def grounded_caption(self, index: int) -> GroundedCaption:
        return self.captions[index]

    def image_id(self, index: int) -> str:
        return str(70 + index)

    def location(self, index: int) -> str:
        raise NotImplementedError

    def load_image(self, index: int) -> Image.Image:
        raise NotImplementedError

    def sizes(self) -> NDArray[np.int64]:
        raise NotImplementedError


class Expressions(WithoutPictures, ReferringReader):
    """Given expressions."""

    dataset = "refcoco"


class Entities(WithoutPictures, EntitiesReader):
    """Given sentences with the types of their phrases."""

    def __init__(self, captions: Sequence[GroundedCaption], types: Sequence[Sequence[tuple[str, ...]]]) -> None:
        super().__init__(captions)
        self.types = types

    def phrase_types(self, index: int) -> Sequence[tuple[str, ...]]:
        return self.types[index]


class Objects(DetectionReader):
    """Given classes; numbers of images and categories are none that could be taken for places."""

    name = "objects"

    def __init__(self, classes: Sequence[str], image_ids: Sequence[str]) -> None:
        self.classes = classes
        self.category_ids = [11 * (place + 1) for place in range(len(classes))]
        self.image_ids = image_ids

    def __len__(self) -> int:
        return len(self.image_ids)

    def image_id(self, index: int) -> str:
        return self.image_ids[index]

    def objects(self, index: int) -> Sequence[LabeledBox]:
        raise NotImplementedError

    def location(self, index: int) -> str:
        raise NotImplementedError

    def load_image(self, index: int) -> Image.Image:
        raise NotImplementedError

    def sizes(self) -> NDArray[np.int64]:
        raise NotImplementedError


def caption(text: str, *phrases: str) -> GroundedCaption:
    """A caption with the first places of its phrases; boxes come with a batch."""
    spans = [(text.index(phrase), text.index(phrase) + len(phrase)) for phrase in phrases]
    return GroundedCaption(text, tuple(Phrase((span,), ()) for span in spans))


class Words:
    """Counts words as tokens."""

    def count(self, text: str) -> int:
        return len(text.split())


def phrase_asker() -> PhraseAsker:
    return PhraseAsker(Words(), BoxEvaluationConfig())  # type: ignore[arg-type]


def class_asker(classes: Sequence[str]) -> ClassAsker:
    return ClassAsker(Words(), BoxEvaluationConfig(), names=classes, prompts=classes, text_budget=256)  # type: ignore[arg-type]


def judged(
    evaluator: BoxEvaluator[Any], names: Sequence[str], images: Iterable[tuple[Detections, Sequence[Truth]]]
) -> list[Any]:
    """Results of images for which the same was asked."""
    return [
        evaluator.judge_image(ImageResult(index, found, tuple(names)), truths)
        for index, (found, truths) in enumerate(images)
    ]


class Oracle:
    """In place of the predictor: finds what it is told to, in pixels of the network's input; notes what was asked."""

    def __init__(self, *found: Detections) -> None:
        self.found = list(found)
        self.asked: list[Any] = []
        self.num_encoded = 0

    def ground(self, pixels: Tensor, sizes: Sequence[tuple[int, int]], prompts: Sequence[Prompt]) -> list[Detections]:
        self.asked.append((sizes, prompts))
        return [self.found.pop(0) for _ in sizes]

    def encode_classes(self, chunks: Sequence[PromptChunk]) -> int:
        self.num_encoded += 1
        return self.num_encoded

    def detect(self, pixels: Tensor, sizes: Sequence[tuple[int, int]], classes: int) -> list[Detections]:
        self.asked.append((sizes, classes))
        return [self.found.pop(0) for _ in sizes]


def batch(*truths: Sequence[Truth], prompt: Prompt | None, first: int = 0) -> EvaluationBatch:
    """Images of 40 x 20 pixels (height by width) that the network sees in 80 x 60."""
    number = len(truths)
    return EvaluationBatch(
        image=torch.zeros(number, 3, 96, 64, dtype=torch.uint8),
        sizes=torch.tensor([[80, 60]] * number),
        original_sizes=((40, 20),) * number,
        prompts=(prompt,) * number,
        truths=tuple(map(tuple, truths)),
        image_index=tuple(range(first, first + number)),
    )
