"""What readers of question, statement, grounding and detection data offer."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiber.data.readers.base import ImageReader, Reader
from fiber.data.readers.image_encoding import as_png
from fiber.data.records import GroundedCaption, LabeledBox, Question, Statement
from fiber.detection.prompts import ClassPrompt


class QuestionReader(ImageReader):
    """One question per sample."""

    known_answers: Sequence[str] | None = None
    """Every answer there can be, where the data say so; None = a vocabulary is to be built of the common ones."""

    @abstractmethod
    def question(self, index: int) -> Question:
        """Question and answers of a sample."""

    def texts(self) -> Iterator[str]:
        """The questions, unless a reader knows better."""
        for index in range(len(self)):
            yield self.question(index).text


class StatementReader(Reader):
    """One statement about two images per sample."""

    @abstractmethod
    def statement(self, index: int) -> Statement:
        """Statement of a sample."""

    @abstractmethod
    def load_images(self, index: int) -> tuple[Image.Image, Image.Image]:
        """Left and right image, RGB.

        Raises:
            BrokenImageError: a file is missing or cannot be decoded.
        """

    def encoded_images(self, index: int) -> list[bytes]:
        return [as_png(image) for image in self.load_images(index)]

    def texts(self) -> Iterator[str]:
        """The statements, unless a reader knows better."""
        for index in range(len(self)):
            yield self.statement(index).text


class BoxReader(ImageReader):
    """Images of known size with boxes, as annotated: cleaning them is left to who trains on them.

    Boxes are continuous xyxy in pixels of the image. They may lie outside of it or be empty where the annotations say
    so.
    """

    @abstractmethod
    def sizes(self) -> NDArray[np.int64]:
        """Height and width of every image as the annotations state them, to batch images of like shape.

        Returns:
            `(len(self), 2)` in pixels; 0 0 where the annotations do not say. No image is opened.
        """


class GroundingReader(BoxReader):
    """One caption with its phrases' boxes per sample."""

    @abstractmethod
    def grounded_caption(self, index: int) -> GroundedCaption:
        """Caption and phrases of a sample."""

    def texts(self) -> Iterator[str]:
        for index in range(len(self)):
            yield self.grounded_caption(index).text


class ReferringReader(GroundingReader):
    """One expression per sample: the caption's only phrase, which names one object."""

    dataset: str
    """Name of the benchmark, such as `refcoco+`."""


class EntitiesReader(GroundingReader):
    """Captions whose phrases are of annotated types, as in Flickr30k Entities."""

    @abstractmethod
    def phrase_types(self, index: int) -> Sequence[tuple[str, ...]]:
        """Types of every phrase of `grounded_caption`, such as `people`; a phrase may have several."""


class DetectionReader(BoxReader):
    """All objects of some classes per image."""

    classes: Sequence[str]
    """Names of the classes."""
    category_ids: Sequence[int]
    """The data set's own number of every class, for result files."""

    @property
    def class_prompts(self) -> Sequence[str | ClassPrompt]:
        """What to ask for each class: its name, unless a data set is known to want other words."""
        return self.classes

    @abstractmethod
    def objects(self, index: int) -> Sequence[LabeledBox]:
        """Objects of an image, crowds among them; an image may have none."""

    def texts(self) -> Iterator[str]:
        yield ". ".join(self.classes)


class FederatedReader(DetectionReader):
    """Detection where every image was checked for some of the classes only, as in LVIS.

    Of an image these are the classes of its objects, `negative_classes` and `not_exhaustive_classes`; of all others
    nothing is known.
    """

    frequencies: Sequence[str]
    """How common every class is: `r` (rare), `c` (common) or `f` (frequent)."""

    @abstractmethod
    def negative_classes(self, index: int) -> Sequence[int]:
        """Classes that are certainly absent from an image."""

    @abstractmethod
    def not_exhaustive_classes(self, index: int) -> Sequence[int]:
        """Classes of which not every object in an image has a box."""
