"""What readers of question, statement, grounding and detection data offer."""

from abc import abstractmethod
from collections.abc import Sequence

from PIL import Image

from fiber.data.readers.base import ImageReader, Reader
from fiber.data.records import GroundedCaption, LabeledBox, Question, Statement


class QuestionReader(ImageReader):
    """One question per sample."""

    @abstractmethod
    def question(self, index: int) -> Question:
        """Question and answers of a sample."""


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


class GroundingReader(ImageReader):
    """One caption with its phrases' boxes per sample."""

    @abstractmethod
    def grounded_caption(self, index: int) -> GroundedCaption:
        """Caption and phrases of a sample."""


class DetectionReader(ImageReader):
    """All objects of some classes per image."""

    classes: Sequence[str]
    """Names of the classes."""

    @abstractmethod
    def objects(self, index: int) -> Sequence[LabeledBox]:
        """Objects of an image; an image may have none."""
