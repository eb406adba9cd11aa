"""Keys and values that attention computed before, kept while a caption grows.

Axes: R texts, h heads, T tokens so far, L new tokens, d head width.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class KeyValue(NamedTuple):
    """Projected context of one attention layer."""

    key: Tensor
    """B h M d."""
    value: Tensor
    """B h M d."""

    @property
    def batch_size(self) -> int:
        return self.key.shape[0]


class LayerCache:
    """Keys and values of one self-attention layer."""

    def __init__(self) -> None:
        self.stored: KeyValue | None = None

    def extend(self, new: KeyValue) -> KeyValue:
        """Append L tokens, R h L d, and return all, R h T+L d."""
        if self.stored is not None:
            new = KeyValue(*(torch.cat(parts, dim=2) for parts in zip(self.stored, new, strict=True)))
        self.stored = new
        return new

    def select(self, rows: Tensor) -> None:
        """Keep these texts, which may repeat: int64 R'."""
        if self.stored is not None:
            self.stored = KeyValue(*(part[rows] for part in self.stored))


class DecodingCache:
    """What the text layers keep of the tokens they have read; grows in place with every `FusionBackbone.decode`."""

    def __init__(self, num_layers: int) -> None:
        self.layers = tuple(LayerCache() for _ in range(num_layers))

    @property
    def num_tokens(self) -> int:
        """Tokens read so far, T."""
        stored = self.layers[0].stored
        return 0 if stored is None else stored.key.shape[2]

    def select(self, rows: Tensor) -> None:
        """Keep these texts, which may repeat, in this order: int64 R'."""
        for layer in self.layers:
            layer.select(rows)
