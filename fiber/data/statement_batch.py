"""Samples and batches of statements about two images.

Axes: B statements, L text tokens, S image side in pixels.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from fiber.data.batch import SampleKey, TensorBatch
from fiber.data.records import Statement


class StatementSample(NamedTuple):
    """One statement with its images."""

    image: Tensor  # uint8 2 3 S S, RGB, left and right
    statement: Statement
    key: SampleKey
    broken: tuple[str, ...]  # locations of broken images passed over on the way to this one


@dataclass(frozen=True)
class StatementBatch(TensorBatch):
    """A collated batch."""

    image: Tensor  # uint8 B 2 3 S S, RGB, left and right
    text_ids: Tensor  # int64 B L, `<s> ... </s>` and padding
    text_mask: Tensor  # bool B L, True = real token
    is_true: Tensor  # bool B
    sample: Tensor  # int64 B, SampleKey.sample
    statements: tuple[Statement, ...]
    broken: tuple[str, ...]

    def __len__(self) -> int:
        return self.image.shape[0]
