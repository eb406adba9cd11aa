"""Keys of the contrastive loss and candidates for hard negatives: the current step's pairs, then the queue's.

Axes: B rows of this process, G current pairs of all processes, Q slots of the queue, K = G + Q, P embedding width.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from fiber.objectives.pairs import DetachedEmbeddings, EmbeddedPairs

E = TypeVar("E", EmbeddedPairs, DetachedEmbeddings)


@dataclass(frozen=True, slots=True)
class ContrastiveKeys(Generic[E]):
    """Embeddings of the current pairs and of the queue side by side."""

    current: E
    queued: E | None = None
    """Q slots, or None where there is no queue or it is still empty."""
    num_filled: int = 0
    """Slots that hold pairs; the others take no part."""

    def __len__(self) -> int:
        return len(self.current) + (len(self.queued) if self.queued else 0)

    @property
    def image_keys(self) -> Tensor:
        """K P."""
        return join(self.current.image_embedding, self.queued.image_embedding if self.queued else None)

    @property
    def text_keys(self) -> Tensor:
        """K P."""
        return join(self.current.text_embedding, self.queued.text_embedding if self.queued else None)

    @property
    def valid(self) -> Tensor:
        """bool K, False for slots that were never filled."""
        position = torch.arange(len(self), device=self.current.image_embedding.device)
        return position < len(self.current) + self.num_filled


class Candidates(ContrastiveKeys[EmbeddedPairs]):
    """Keys with the raw inputs behind them, which are picked row by row and never joined."""

    def select_images(self, index: Tensor) -> Tensor:
        """int64 B of candidates -> uint8 B 3 S S."""
        return pick(index, self.current.pairs.image, self.queued.pairs.image if self.queued else None)

    def select_texts(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """int64 B of candidates -> token ids int64 B L, mask bool B L."""
        now, queued = self.current.pairs, self.queued.pairs if self.queued else None
        ids = pick(index, now.text_ids, queued.text_ids if queued else None)
        return ids, pick(index, now.text_mask, queued.text_mask if queued else None)


def join(current: Tensor, queued: Tensor | None) -> Tensor:
    """Rows of both."""
    return current if queued is None else torch.cat([current, queued])


def pick(index: Tensor, current: Tensor, queued: Tensor | None) -> Tensor:
    """Rows `index` of the two tensors as if joined, without joining them: a queue of images is gigabytes."""
    if queued is None:
        return current[index]
    from_current = index < len(current)
    now = current[index.clamp(max=len(current) - 1)]
    earlier = queued[(index - len(current)).clamp(min=0)]
    return torch.where(from_current.view(-1, *[1] * (current.dim() - 1)), now, earlier)
