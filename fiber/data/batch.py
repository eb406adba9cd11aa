"""Samples and batches of image-text pairs.

Axes: B pairs, L text tokens, S image side in pixels.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import torch
from torch import Tensor


class SampleKey(NamedTuple):
    """What a sampler hands to a data set.

    `index` selects the sample. `draw` numbers the draws of the whole run over all processes (epoch after epoch): every
    random choice made for a sample (crop, masked tokens, replacement of a broken image) is seeded by the run's seed and
    `draw`, so that it depends neither on the number of processes or workers nor on an interruption.
    """

    index: int
    draw: int


class PairSample(NamedTuple):
    """One image with one of its captions."""

    image: Tensor  # uint8 3 S S, RGB
    caption: str
    image_index: int  # position of the image in its data set
    key: SampleKey
    broken: tuple[str, ...]  # locations of broken images passed over on the way to this one


@dataclass(frozen=True, slots=True)
class PairBatch:
    """A collated batch of image-text pairs.

    Pixels stay uint8 until they are on the device: a quarter of the traffic, and what the queue keeps.
    """

    image: Tensor  # uint8 B 3 S S, RGB
    text_ids: Tensor  # int64 B L, `<s> ... </s>` and padding
    text_mask: Tensor  # bool B L, True = real token
    content_mask: Tensor  # bool B L, True = token of a content word (no function word, punctuation or special token)
    masked_ids: Tensor  # int64 B L, text_ids after masked language modelling's corruption
    masked_labels: Tensor  # int64 B L, original id where a token was selected, -100 elsewhere
    image_index: Tensor  # int64 B, position of the image in its data set
    index: Tensor  # int64 B, SampleKey.index
    draw: Tensor  # int64 B, SampleKey.draw
    captions: tuple[str, ...]
    broken: tuple[str, ...]

    def __len__(self) -> int:
        return self.image.shape[0]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """Copy every tensor to `device`."""
        moved = {
            field.name: value.to(device, non_blocking=non_blocking) if isinstance(value, Tensor) else value
            for field in fields(self)
            for value in (getattr(self, field.name),)
        }
        return type(self)(**moved)

    def pin_memory(self) -> Self:
        """Copy every tensor to page-locked memory (called by the data loader)."""
        pinned = {
            field.name: value.pin_memory() if isinstance(value, Tensor) else value
            for field in fields(self)
            for value in (getattr(self, field.name),)
        }
        return type(self)(**pinned)
