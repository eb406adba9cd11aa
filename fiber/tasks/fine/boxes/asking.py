"""Asking a detector for what a batch of images is judged on.

Axes: B images, H W pixels.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from fiber.data.grounding_batch import EvaluationBatch, GroundingBatch
from fiber.data.normalization import normalize_pixels, zero_padding
from fiber.data.tokenization import TextTokenizer
from fiber.detection.postprocessing import Detections
from fiber.detection.prompt_chunks import chunk_classes
from fiber.detection.prompts import ClassPrompt
from fiber.inference.grounding_predictor import EncodedClasses, GroundingPredictor
from fiber.models.grounded_detector import GroundedDetector
from fiber.tasks.fine.boxes.options import BoxEvaluationConfig

log = logging.getLogger(__name__)


class ImageResult(NamedTuple):
    """What was found in one image."""

    image_index: int
    """Place in the reader."""
    detections: Detections
    """In pixels of the original image, on the CPU."""
    names: tuple[str, ...]
    """Of the labels that were asked for."""


class Asker(ABC):
    """What a split's images are asked for.

    Args:
        tokenizer: the model's.
        options: which boxes count.
    """

    def __init__(self, tokenizer: TextTokenizer, options: BoxEvaluationConfig) -> None:
        self.tokenizer = tokenizer
        self.options = options

    def ask(self, model: nn.Module, batch: EvaluationBatch) -> list[ImageResult]:
        """What is found in the images of a batch, in their order; called without gradient."""
        assert isinstance(model, GroundedDetector)
        predictor = GroundingPredictor(model, self.tokenizer, self.options.post_processing)
        found = self.find(predictor, network_input(batch), batch)
        return [
            ImageResult(index, detections, names)
            for index, detections, names in zip(
                batch.image_index, in_original_pixels(found, batch), self.names(batch), strict=True
            )
        ]

    @abstractmethod
    def find(self, predictor: GroundingPredictor, pixels: Tensor, batch: EvaluationBatch) -> list[Detections]:
        """Detections of every image, in pixels of the network's input B 3 H W."""

    @abstractmethod
    def names(self, batch: EvaluationBatch) -> list[tuple[str, ...]]:
        """Names of every image's labels."""

    def forget(self) -> None:  # noqa: B027
        """Drop whatever depends on the model's weights."""


class PhraseAsker(Asker):
    """Every image for the phrases of its own text."""

    def find(self, predictor: GroundingPredictor, pixels: Tensor, batch: EvaluationBatch) -> list[Detections]:
        prompts = [prompt for prompt in batch.prompts if prompt is not None]
        return predictor.ground(pixels, size_tuples(batch.sizes), prompts)

    def names(self, batch: EvaluationBatch) -> list[tuple[str, ...]]:
        return [prompt.names for prompt in batch.prompts if prompt is not None]


class ClassAsker(Asker):
    """Every image for the same classes, in as many prompts as they take.

    Args:
        tokenizer: the model's.
        options: which boxes count.
        names: of the classes.
        prompts: words to ask for each class.
        text_budget: tokens of a prompt at most.

    Raises:
        UserError: a class names nothing, or is longer than a prompt.
    """

    def __init__(
        self,
        tokenizer: TextTokenizer,
        options: BoxEvaluationConfig,
        *,
        names: Sequence[str],
        prompts: Sequence[str | ClassPrompt],
        text_budget: int,
    ) -> None:
        super().__init__(tokenizer, options)
        self.class_names = tuple(names)
        self.chunks = chunk_classes(
            prompts, count_tokens=tokenizer.count, token_budget=text_budget, max_classes=options.classes_per_prompt
        )
        if len(self.chunks) > 1 and options.classes_per_prompt is None:
            log.warning(
                "%d classes are asked for in %d prompts of at most %d tokens", len(names), len(self.chunks), text_budget
            )
        self.encoded: EncodedClasses | None = None
        """The prompts by the model's present weights."""

    def find(self, predictor: GroundingPredictor, pixels: Tensor, batch: EvaluationBatch) -> list[Detections]:
        self.encoded = self.encoded or predictor.encode_classes(self.chunks)
        return predictor.detect(pixels, size_tuples(batch.sizes), self.encoded)

    def names(self, batch: EvaluationBatch) -> list[tuple[str, ...]]:
        return [self.class_names] * len(batch)

    def forget(self) -> None:
        self.encoded = None


def network_input(batch: GroundingBatch | EvaluationBatch) -> Tensor:
    """Normalised pixels with the mean colour as padding, float32 B 3 H W."""
    return zero_padding(normalize_pixels(batch.image), batch.sizes)


def size_tuples(sizes: Tensor) -> list[tuple[int, int]]:
    """int64 B 2 -> height and width of each."""
    return [(height, width) for height, width in sizes.tolist()]


def in_original_pixels(found: Sequence[Detections], batch: EvaluationBatch) -> list[Detections]:
    """Detections in the pixels of the pictures before they were resized, on the CPU."""
    scaled = []
    for one, (height, width), size in zip(found, batch.original_sizes, size_tuples(batch.sizes), strict=True):
        scaled.append(one.to("cpu").scaled(width / size[1], height / size[0]))
    return scaled
