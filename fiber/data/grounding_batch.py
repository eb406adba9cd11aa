"""Samples and batches of images with texts and boxes.

Axes: B images, H W pixels, K boxes of an image, L text tokens.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from fiber.data.batch import SampleKey, TensorBatch
from fiber.data.defects import Defect
from fiber.data.records import Box, Span
from fiber.detection.prompts import Prompt


class GroundingSample(NamedTuple):
    """One image with a text and the boxes of what it names."""

    image: Tensor
    """uint8 3 H W, RGB."""
    text: str
    boxes: Tensor
    """float32 K 4, continuous xyxy in pixels of `image`."""
    spans: tuple[tuple[Span, ...], ...]
    """Per box, characters of the text that name it."""
    location: str
    key: SampleKey
    broken: tuple[str, ...]
    """Broken images passed over on the way to this one."""
    defects: tuple[Defect, ...]


@dataclass(frozen=True)
class GroundingBatch(TensorBatch):
    """A collated batch to train on."""

    image: Tensor  # uint8 B 3 H W, RGB, zero-padded on the right and at the bottom to multiples of 32
    sizes: Tensor  # int64 B 2, height and width without padding
    text_ids: Tensor  # int64 B L, `<s> ... </s>` and padding
    text_mask: Tensor  # bool B L, True = real token
    boxes: Tensor  # float32 K 4 of all images one after the other, continuous xyxy in pixels
    positive_map: Tensor  # bool K L, tokens that name each box
    num_boxes: tuple[int, ...]  # of each image
    broken: tuple[str, ...]
    defects: tuple[Defect, ...]

    def __len__(self) -> int:
        return self.image.shape[0]


class Truth(NamedTuple):
    """One thing to be found in an image that is validated on."""

    label: int
    """Place of the phrase or class among those asked for."""
    box: Box
    """Continuous xyxy in pixels of the original image."""
    is_crowd: bool
    area: float
    """Square pixels."""


class EvaluationSample(NamedTuple):
    """One image to be judged on."""

    image: Tensor
    """uint8 3 H W, RGB."""
    original_size: tuple[int, int]
    """Height and width of the picture before it was resized."""
    prompt: Prompt | None
    """What is asked for; None where all images are asked for the same classes."""
    truths: tuple[Truth, ...]
    image_index: int
    """Place in the reader."""


@dataclass(frozen=True)
class EvaluationBatch(TensorBatch):
    """A collated batch to be judged on."""

    image: Tensor  # uint8 B 3 H W, RGB, zero-padded as in training
    sizes: Tensor  # int64 B 2, height and width without padding
    original_sizes: tuple[tuple[int, int], ...]
    prompts: tuple[Prompt | None, ...]
    truths: tuple[tuple[Truth, ...], ...]
    image_index: tuple[int, ...]

    def __len__(self) -> int:
        return self.image.shape[0]
