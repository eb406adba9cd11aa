"""Which pairs each process trains on, batch by batch."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from fiber.data.batch import SampleKey
from fiber.utils.errors import UserError


class Ordered(Protocol):
    """Pairs with an order for every epoch."""

    def __len__(self) -> int: ...

    def epoch_order(self, seed: int, epoch: int) -> NDArray[np.int64]: ...


class TrainingBatchSampler(Sampler[list[SampleKey]]):
    """Micro-batches of one process, the same pairs in the same global batches however many processes there are.

    Global batch g of an epoch is rows [g B, (g + 1) B) of the epoch's order, B = batch_size * world_size; process r
    takes its r-th part. Rows that fill no batch are left for another epoch's shuffle.

    Args:
        source: the pairs.
        batch_size: pairs per process.
        seed: of the shuffles.
        rank: of this process.
        world_size: number of processes.

    Raises:
        UserError: the source is smaller than one global batch.
    """

    def __init__(self, source: Ordered, *, batch_size: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self.source = source
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.start_batch = 0
        """Batches of the next epoch iterated that an interrupted run has already seen."""
        if len(self) == 0:
            raise UserError(
                f"The training data hold {len(source)} pairs, fewer than one batch of {batch_size} on each of "
                f"{world_size} processes: lower trainer.batch_size."
            )

    def __len__(self) -> int:
        """Batches of a whole epoch, also while one is resumed."""
        return len(self.source) // (self.batch_size * self.world_size)

    @property
    def sampler(self) -> "TrainingBatchSampler":
        """Where Lightning looks for `set_epoch`: one level below the batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the shuffle and the draws; Lightning calls it before every epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[SampleKey]]:
        start, self.start_batch = self.start_batch, 0
        order = self.source.epoch_order(self.seed, self.epoch)
        rows_per_epoch = len(self) * self.batch_size * self.world_size
        for batch in range(start, len(self)):
            first = (batch * self.world_size + self.rank) * self.batch_size
            draw = self.epoch * rows_per_epoch + first
            indices = order[first : first + self.batch_size].tolist()
            yield [SampleKey(index, draw + row) for row, index in enumerate(indices)]


class EvaluationBatchSampler(Sampler[list[SampleKey]]):
    """Every pair exactly once over all processes, in order; nothing is padded.

    All processes get the same number of batches, as sharded models need it, of sizes that differ by one at most.
    Process r takes every r-th batch.

    Args:
        size: number of pairs.
        batch_size: most pairs per batch.
        rank: of this process.
        world_size: number of processes.

    Raises:
        UserError: fewer pairs than processes.
    """

    def __init__(self, size: int, *, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        if size < world_size:
            raise UserError(f"The validation data hold {size} pairs, fewer than the {world_size} processes.")
        num_batches = world_size * -(-size // (batch_size * world_size))
        starts = [batch * size // num_batches for batch in range(num_batches + 1)]
        self.batches = [range(starts[batch], starts[batch + 1]) for batch in range(rank, num_batches, world_size)]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        for batch in self.batches:
            yield [SampleKey(index, index) for index in batch]
