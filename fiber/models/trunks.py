"""What the fused backbone hands from one verb to the next.

Axes: B batch, H W map, C image width, L text tokens, D text width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ImageTrunk:
    """Images below the first fused block. Depends on no text, so it is encoded once and paired at will."""

    state: Tensor
    """B H W C, input of the first fused block."""
    stages: tuple[Tensor, ...] = ()
    """Outputs of the stages finished so far, each B H_s W_s C_s, when asked for."""

    def __len__(self) -> int:
        return self.state.shape[0]

    def __getitem__(self, index: Tensor | slice) -> Self:
        """Select images; an int64 index may repeat them."""
        return self.map(lambda tensor: tensor[index])

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Apply `function` to every tensor: `detach`, moving to a device."""
        return type(self)(function(self.state), tuple(map(function, self.stages)))

    @classmethod
    def concatenate(cls, trunks: Sequence[Self]) -> Self:
        """Join along the batch; all of one image size."""
        stages = zip(*(trunk.stages for trunk in trunks), strict=True)
        return cls(torch.cat([trunk.state for trunk in trunks]), tuple(torch.cat(stage) for stage in stages))


@dataclass(frozen=True, slots=True)
class TextTrunk:
    """Texts below the first fused layer. Depends on no image."""

    state: Tensor
    """B L D, input of the first fused layer."""
    mask: Tensor
    """bool B L, True = real token."""

    def __len__(self) -> int:
        return self.state.shape[0]

    def __getitem__(self, index: Tensor | slice) -> Self:
        """Select texts; an int64 index may repeat them."""
        return self.map(lambda tensor: tensor[index])

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Apply `function` to every tensor: `detach`, moving to a device."""
        return type(self)(function(self.state), function(self.mask))

    @classmethod
    def concatenate(cls, trunks: Sequence[Self]) -> Self:
        """Join along the batch; all of one length."""
        return cls(torch.cat([trunk.state for trunk in trunks]), torch.cat([trunk.mask for trunk in trunks]))


class FusedFeatures(NamedTuple):
    """Image-text pairs after the last fused layer."""

    image: Tensor
    """B H W C, without a final norm."""
    text: Tensor
    """B L D; without the last layer's final norm in the coarse stage."""
    text_mask: Tensor
    """bool B L."""
    stages: tuple[Tensor, ...]
    """Outputs of all stages, each B H_s W_s C_s before its patch merging, if the trunk kept its own; else empty."""
