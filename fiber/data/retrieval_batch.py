"""Samples and batches of retrieval.

Axes: B pairs or images, L text tokens, S image side in pixels.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from fiber.data.batch import SampleKey, TensorBatch


class MatchingSample(NamedTuple):
    """An image with a caption, its own or another image's."""

    image: Tensor  # uint8 3 S S, RGB
    caption: str
    matches: bool
    key: SampleKey
    broken: tuple[str, ...]  # locations of broken images passed over on the way to this one


@dataclass(frozen=True)
class RetrievalBatch(TensorBatch):
    """A collated batch of pairs to learn from."""

    image: Tensor  # uint8 B 3 S S, RGB
    text_ids: Tensor  # int64 B L, `<s> ... </s>` and padding
    text_mask: Tensor  # bool B L, True = real token
    matches: Tensor  # bool B, False where the caption is another image's
    sample: Tensor  # int64 B, SampleKey.sample
    draw: Tensor  # int64 B, SampleKey.draw
    first_draw: int  # of the batch, known without asking the device
    broken: tuple[str, ...]

    def __len__(self) -> int:
        return self.image.shape[0]


class GallerySample(NamedTuple):
    """An image without its captions."""

    image: Tensor  # uint8 3 S S, RGB
    key: SampleKey
    broken: tuple[str, ...]


@dataclass(frozen=True)
class GalleryBatch(TensorBatch):
    """A collated batch of images to be ranked."""

    image: Tensor  # uint8 B 3 S S, RGB
    sample: Tensor  # int64 B, position of the image in its split
    broken: tuple[str, ...]

    def __len__(self) -> int:
        return self.image.shape[0]
