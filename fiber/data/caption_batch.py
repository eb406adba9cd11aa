"""Images to be captioned, one by one and collated.

Axes: B images, L text tokens, S image side in pixels.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from fiber.data.batch import SampleKey, TensorBatch


class CaptionSample(NamedTuple):
    """One image with a caption to learn, and all captions that are true of it."""

    image: Tensor  # uint8 3 S S, RGB
    caption: str
    references: tuple[str, ...]  # all captions of the image
    key: SampleKey
    broken: tuple[str, ...]  # locations of broken images passed over on the way to this one


@dataclass(frozen=True)
class CaptionBatch(TensorBatch):
    """A collated batch; pixels stay uint8 until they are on the device."""

    image: Tensor  # uint8 B 3 S S, RGB
    text_ids: Tensor  # int64 B L, `<s> ... </s>` and padding
    text_mask: Tensor  # bool B L, True = real token
    sample: Tensor  # int64 B, SampleKey.sample
    draw: Tensor  # int64 B, SampleKey.draw
    references: tuple[tuple[str, ...], ...]
    broken: tuple[str, ...]

    def __len__(self) -> int:
        return self.image.shape[0]
