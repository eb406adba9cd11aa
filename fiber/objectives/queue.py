"""Queue of earlier pairs for the contrastive loss and the hard negatives (as in ALBEF, without a momentum encoder)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fiber.objectives.candidates import Candidates
from fiber.objectives.pairs import EmbeddedPairs
from fiber.utils.errors import UserError


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


class PairQueue:
    """Ring buffer of the last `size` pairs of all processes, the same on each of them.

    It is no module: its raw inputs (1.7 GiB at 384 px and 4,096 pairs) enter no checkpoint and no buffer broadcast.
    Memory is taken on the device of the first pairs. Slots that were never filled are marked invalid.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.filled = 0
        self.pointer = 0
        self.slots: EmbeddedPairs | None = None

    def enqueue(self, pairs: EmbeddedPairs) -> None:
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
        device = pairs.sample_key.device
        rows = (torch.arange(len(pairs), device=device) + self.pointer) % self.size
        for slot, new in zip(self.slots.tensors(), pairs.tensors(), strict=True):
            slot.index_copy_(0, rows, new.to(slot.dtype))
        self.pointer = (self.pointer + len(pairs)) % self.size
        self.filled = min(self.filled + len(pairs), self.size)

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
