"""Captions with boxes, and classes with boxes as prompts: the same to train on.

The text of a detection image names the classes that it shows and some that it does not.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from fiber.data.readers.task_readers import BoxReader, DetectionReader, GroundingReader
from fiber.data.records import Box, Span
from fiber.detection.prompt_sampling import PromptSource


class BoxAnnotation(NamedTuple):
    """A text and the boxes of what it names, as annotated."""

    text: str
    boxes: tuple[Box, ...]
    spans: tuple[tuple[Span, ...], ...]
    """Per box, characters of the text that name it."""


class BoxAnnotations(ABC):
    """Annotations of a reader's images."""

    reader: BoxReader
    has_captions: bool
    """Whether texts speak of left and right in the image."""

    @abstractmethod
    def annotation(self, index: int, rng: np.random.Generator) -> BoxAnnotation:
        """Text and boxes of an image; all randomness comes from the generator handed in."""


class CaptionAnnotations(BoxAnnotations):
    """Captions as they are. A box that several phrases name is one box with all their words."""

    has_captions = True

    def __init__(self, reader: GroundingReader) -> None:
        self.reader: GroundingReader = reader

    def annotation(self, index: int, rng: np.random.Generator) -> BoxAnnotation:
        caption = self.reader.grounded_caption(index)
        named: dict[Box, tuple[Span, ...]] = {}
        for phrase in caption.phrases:
            for box in phrase.boxes:
                named[box] = tuple(dict.fromkeys((*named.get(box, ()), *phrase.spans)))
        return BoxAnnotation(caption.text, tuple(named), tuple(named.values()))


class PromptAnnotations(BoxAnnotations):
    """Objects of classes, asked for by a prompt. Crowds are left out."""

    has_captions = False

    def __init__(self, reader: DetectionReader, prompts: PromptSource) -> None:
        self.reader: DetectionReader = reader
        self.prompts = prompts

    def annotation(self, index: int, rng: np.random.Generator) -> BoxAnnotation:
        objects = [item for item in self.reader.objects(index) if not item.is_crowd]
        sampled = self.prompts.sample([item.class_index for item in objects], rng)
        spans = dict(zip(sampled.classes, sampled.prompt.spans, strict=True))
        asked = [item for item in objects if item.class_index in spans]
        return BoxAnnotation(
            sampled.prompt.text,
            tuple(item.box for item in asked),
            tuple(spans[item.class_index] for item in asked),
        )
