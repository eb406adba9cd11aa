"""Texts of a gallery below the fusion, encoded once where memory allows.

Axes: T texts, B of them, L tokens of the longest of these, D text width.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.trunks import TextTrunk


class TextTrunks:
    """Trunks of any of the texts.

    They are kept packed, without padding: 25,000 captions of 13 tokens take 1.0 GB in float32 at width 768. Where the
    budget is less, they are encoded again whenever they are asked for.

    Args:
        backbone: in evaluation mode.
        token_ids: int64 T L, on the backbone's device.
        mask: bool T L, True = real token; the real ones come first.
        chunk_size: texts encoded at a time.
        budget: bytes.
    """

    def __init__(
        self, backbone: FusionBackbone, token_ids: Tensor, mask: Tensor, *, chunk_size: int, budget: int
    ) -> None:
        self.backbone = backbone
        self.token_ids = token_ids
        self.mask = mask
        self.lengths = mask.sum(dim=1)
        by_length = self.lengths.argsort(stable=True)
        self.chunks: tuple[Tensor, ...] = torch.split(by_length, chunk_size)
        """Every text once, in chunks of like length: int64 B."""
        self.starts = torch.zeros_like(self.lengths)
        self.starts[by_length] = self.lengths[by_length].cumsum(dim=0) - self.lengths[by_length]
        self.budget = budget
        self.packed: Tensor | None = None
        """All real tokens, by length of their texts; `starts` says where each text's begin."""

    def encode(self, index: Tensor) -> TextTrunk:
        """Trunks of B texts, padded to the longest of them."""
        longest = int(self.lengths[index].max())
        return self.backbone.encode_text(self.token_ids[index, :longest], self.mask[index, :longest])

    def encode_all(self) -> Iterator[tuple[Tensor, TextTrunk]]:
        """Every chunk with its trunks, which are kept if they fit."""
        packed: Tensor | None = None
        num_tokens = int(self.lengths.sum())
        for chunk in self.chunks:
            trunk = self.encode(chunk)
            width = trunk.state.shape[-1]
            if packed is None and num_tokens * width * trunk.state.element_size() <= self.budget:
                packed = trunk.state.new_empty(num_tokens, width)
            if packed is not None:
                start = int(self.starts[chunk[0]])
                packed[start : start + int(self.lengths[chunk].sum())] = trunk.state[trunk.mask]
            yield chunk, trunk
        self.packed = packed

    def select(self, index: Tensor) -> TextTrunk:
        """Trunks of B texts, padded to the longest of them."""
        if self.packed is None:
            return self.encode(index)
        lengths = self.lengths[index]
        position = torch.arange(int(lengths.max()), device=index.device)
        mask = position < lengths[:, None]  # B L
        token = (self.starts[index, None] + position).masked_fill(~mask, 0)
        return TextTrunk(self.packed[token] * mask[..., None], mask)
