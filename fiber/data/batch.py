"""Samples and batches, those of image-text pairs among them.

Axes: B pairs, L text tokens, S image side in pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Self

import torch
from torch import Tensor


class SampleKey(NamedTuple):
    """What a sampler hands to a data set.

    `sample` selects it. `draw` numbers the draws of the whole run over all processes (epoch after epoch): every
    random choice made for a sample (crop, masked tokens, replacement of a broken image) is seeded by the run's seed and
    `draw`, so that it depends neither on the number of processes or workers nor on an interruption.
    """

    sample: int
    draw: int


class PairSample(NamedTuple):
    """One image with one of its captions."""

    image: Tensor  # uint8 3 S S, RGB
    caption: str
    image_index: int  # position of the image in its data set
    key: SampleKey
    broken: tuple[str, ...]  # locations of broken images passed over on the way to this one


@dataclass(frozen=True)
class TensorBatch:
    """A batch whose tensors move together."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """Copy every tensor to `device`."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """Copy every tensor to page-locked memory (called by the data loader)."""
        return self.map(Tensor.pin_memory)

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Apply `function` to every tensor."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {name: function(value) for name, value in values.items() if isinstance(value, Tensor)}
        return replace(self, **changed)


@dataclass(frozen=True)
class PairBatch(TensorBatch):
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
    sample: Tensor  # int64 B, SampleKey.sample
    draw: Tensor  # int64 B, SampleKey.draw
    captions: tuple[str, ...]
    broken: tuple[str, ...]

    def __len__(self) -> int:
        return self.image.shape[0]
