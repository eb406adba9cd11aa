"""Queue of earlier pairs for the contrastive loss and the hard negatives (as in ALBEF, without a momentum encoder)."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from fiber.objectives.candidates import Candidates, ContrastiveKeys
from fiber.objectives.pairs import DetachedEmbeddings, EmbeddedPairs, Rows
from fiber.utils.errors import UserError

R = TypeVar("R", bound=Rows)


@dataclass(frozen=True, slots=True)
class QueueState:
    """What a checkpoint keeps of a queue: embeddings, and the keys from which the raw inputs are read again."""

    image_embedding: Tensor
    """Q P."""
    text_embedding: Tensor
    """Q P."""
    sample_key: Tensor
    """int64 Q 2, sample and draw."""
    pointer: int
    filled: int


class RingBuffer(Generic[R]):
    """The last `size` pairs of all processes, the same on each of them.

    It is no module: nothing of it enters a buffer broadcast. Memory is taken on the device of the first pairs.
    Slots that were never filled are marked invalid.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.filled = 0
        self.pointer = 0
        self.slots: R | None = None

    def enqueue(self, pairs: R) -> None:
        """Overwrite the oldest slots with `pairs`, G rows.

        Raises:
            UserError: more rows than slots.
        """
        if len(pairs) > self.size:
            raise UserError(
                f"objective.queue_size={self.size} is smaller than the {len(pairs)} pairs of one step over all "
                "processes: give a larger queue, or 0 to draw from the current step alone."
            )
        if self.slots is None:
            self.slots = pairs.from_tensors(tuple(t.new_zeros((self.size, *t.shape[1:])) for t in pairs.tensors()))
        device = pairs.tensors()[0].device
        rows = (torch.arange(len(pairs), device=device) + self.pointer) % self.size
        for slot, new in zip(self.slots.tensors(), pairs.tensors(), strict=True):
            slot.index_copy_(0, rows, new.to(slot.dtype))
        self.pointer = (self.pointer + len(pairs)) % self.size
        self.filled = min(self.filled + len(pairs), self.size)


class PairQueue(RingBuffer[EmbeddedPairs]):
    """Earlier pairs with their raw inputs, which enter no checkpoint: 1.7 GiB at 384 px and 4,096 pairs."""

    def candidates(self, current: EmbeddedPairs) -> Candidates:
        """Keys of a step whose pairs, of all processes, are `current`."""
        return Candidates(current, self.slots, self.filled)

    def state(self) -> QueueState | None:
        """What a checkpoint keeps; None while the queue is empty."""
        if self.slots is None:
            return None
        slots = self.slots
        embeddings = slots.image_embedding.cpu(), slots.text_embedding.cpu()
        return QueueState(*embeddings, slots.sample_key.cpu(), self.pointer, self.filled)

    def restore(self, state: QueueState, slots: EmbeddedPairs) -> None:
        """Continue from `state`; `slots` holds its embeddings with the raw inputs read again, Q rows."""
        assert len(slots) == self.size == len(state.sample_key)
        self.slots = slots.from_tensors(tuple(tensor.contiguous() for tensor in slots.tensors()))
        self.pointer, self.filled = state.pointer, state.filled


@dataclass(frozen=True, slots=True)
class EmbeddingQueueState:
    """What a checkpoint keeps of a queue of embeddings."""

    image_embedding: Tensor
    """Q P."""
    text_embedding: Tensor
    """Q P."""
    pointer: int
    filled: int


class EmbeddingQueue(RingBuffer[DetachedEmbeddings]):
    """Embeddings of earlier pairs without their raw inputs, where no negatives are drawn from among them."""

    def keys(self, current: DetachedEmbeddings) -> ContrastiveKeys[DetachedEmbeddings]:
        """Keys of a step whose pairs, of all processes, are `current`."""
        return ContrastiveKeys(current, self.slots, self.filled)

    def state(self) -> EmbeddingQueueState | None:
        """What a checkpoint keeps; None while the queue is empty."""
        if self.slots is None:
            return None
        image, text = (tensor.cpu() for tensor in self.slots.tensors())
        return EmbeddingQueueState(image, text, self.pointer, self.filled)

    def restore(self, state: EmbeddingQueueState, device: torch.device) -> None:
        """Continue from `state`."""
        assert len(state.image_embedding) == self.size
        self.slots = DetachedEmbeddings(state.image_embedding.to(device), state.text_embedding.to(device))
        self.pointer, self.filled = state.pointer, state.filled
