"""Which samples each process works on, batch by batch."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from fiber.data.batch import SampleKey
from fiber.utils.errors import UserError


class Ordered(Protocol):
    """Samples with an order for every epoch."""

    def __len__(self) -> int: ...

    def epoch_order(self, seed: int, epoch: int) -> NDArray[np.int64]: ...


class TrainingBatchSampler(Sampler[list[SampleKey]]):
    """Micro-batches of one process, the same samples in the same global batches however many processes there are.

    Global batch g of an epoch is rows [g B, (g + 1) B) of the epoch's order, B = batch_size * world_size; process r
    takes its r-th part. Rows that fill no optimiser step are left for another epoch's shuffle.

    Args:
        source: the samples.
        batch_size: samples per process.
        seed: of the shuffles.
        rank: of this process.
        world_size: number of processes.
        accumulate: batches that make up an optimiser step.
        groups: group of every sample; batches hold one group each, as far as the groups fill them.

    Raises:
        UserError: the source is smaller than one optimiser step.
    """

    def __init__(
        self,
        source: Ordered,
        *,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        accumulate: int = 1,
        groups: NDArray[np.integer] | None = None,
    ) -> None:
        self.source = source
        self.groups = groups
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.accumulate = accumulate
        self.epoch = 0
        self.start_batch = 0
        """Batches of the next epoch iterated that an interrupted run has already seen."""
        if len(self) == 0:
            step = batch_size * world_size * accumulate
            raise UserError(
                f"The training data hold {len(source)} samples, fewer than one step of {step}: lower "
                "optimization.batch_size, and trainer.batch_size with it."
            )

    def __len__(self) -> int:
        """Batches of a whole epoch, also while one is resumed."""
        return len(self.source) // (self.batch_size * self.world_size * self.accumulate) * self.accumulate

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
        if self.groups is not None:
            order = batch_by_group(order, self.groups[order], self.batch_size * self.world_size)
        rows_per_epoch = len(self) * self.batch_size * self.world_size
        for batch in range(start, len(self)):
            first = (batch * self.world_size + self.rank) * self.batch_size
            draw = self.epoch * rows_per_epoch + first
            indices = order[first : first + self.batch_size].tolist()
            yield [SampleKey(index, draw + row) for row, index in enumerate(indices)]


def batch_by_group(order: NDArray[np.int64], groups: NDArray[np.integer], batch_size: int) -> NDArray[np.int64]:
    """Reorder an epoch so that its batches hold one group each.

    Batches come in the order of their last sample. What no group can fill a batch with makes mixed batches at the end,
    so that nothing more is lost than without groups.

    Args:
        order: samples of an epoch.
        groups: group of each of them.
        batch_size: samples of a global batch.
    """
    full, rest = [], []
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        whole = len(rows) // batch_size * batch_size
        full.append(rows[:whole].reshape(-1, batch_size))
        rest.append(rows[whole:])
    batches = np.concatenate(full)
    batches = batches[np.argsort(batches[:, -1])]
    reordered: NDArray[np.int64] = order[np.concatenate([batches.ravel(), np.sort(np.concatenate(rest))])]
    return reordered


class EvaluationBatchSampler(Sampler[list[SampleKey]]):
    """Every sample exactly once over all processes, in order; nothing is padded. Process r takes every r-th batch.

    Args:
        size: number of samples.
        batch_size: most samples per batch.
        rank: of this process.
        world_size: number of processes.
        even: all processes get the same number of batches, as sharded models need it, of sizes that differ by one at
            most and larger than `batch_size` where samples are few. Otherwise batches are the same whatever the number
            of processes, some of which may have one less; only if there are fewer than processes they become smaller.

    Raises:
        UserError: fewer samples than processes.
    """

    def __init__(self, size: int, *, batch_size: int, rank: int = 0, world_size: int = 1, even: bool = True) -> None:
        if size < world_size:
            raise UserError(f"The validation data hold {size} samples, fewer than the {world_size} processes.")
        num_batches = -(-size // batch_size)
        if not even:
            num_batches = max(num_batches, world_size)
        else:
            num_batches = world_size * min(-(-num_batches // world_size), size // world_size)
        starts = [batch * size // num_batches for batch in range(num_batches + 1)]
        self.batches = [range(starts[batch], starts[batch + 1]) for batch in range(rank, num_batches, world_size)]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        for batch in self.batches:
            yield [SampleKey(index, index) for index in batch]
