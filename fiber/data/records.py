"""Annotations of one sample, the same whatever file they come from.

Boxes are continuous xyxy in pixels of the image, origin at its top left corner.
"""

from typing import NamedTuple

Box = tuple[float, float, float, float]
Span = tuple[int, int]
"""First character and the one after the last."""


class Answer(NamedTuple):
    """An answer to a question."""

    text: str
    score: float
    """Soft label in [0, 1]."""


class Question(NamedTuple):
    """A question about an image."""

    text: str
    answers: tuple[Answer, ...]
    """Every answer that has a soft label, once; none where the answers are kept secret."""
    question_id: int
    """The data set's own number, for result files."""
    question_type: str = ""
    """What is asked, such as `how many`; empty where not annotated, as the following."""
    answer_type: str = ""
    """`yes/no`, `number` or `other`."""
    common_answer: str = ""
    """The one that annotators agree on most."""
    annotated_answers: tuple[str, ...] = ()
    """Of every annotator, as given."""


class Statement(NamedTuple):
    """A statement about a pair of images."""

    text: str
    is_true: bool
    identifier: str
    """The data set's own name of the sample."""


class Phrase(NamedTuple):
    """A part of a caption that names things in the image."""

    spans: tuple[Span, ...]
    """Characters of the caption."""
    boxes: tuple[Box, ...]
    """Every thing that the phrase names."""


class GroundedCaption(NamedTuple):
    """A caption whose phrases are tied to boxes."""

    text: str
    phrases: tuple[Phrase, ...]


class LabeledBox(NamedTuple):
    """One object of a known class."""

    box: Box
    class_index: int
    """Place in the reader's list of classes."""
    is_crowd: bool = False
    """Whether the box holds many objects that were not told apart."""
    area: float | None = None
    """Area of the object in square pixels if annotated, which for a mask is less than that of the box."""
