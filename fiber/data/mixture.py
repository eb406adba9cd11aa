"""Several sources of samples as one, in proportion to their size or to given weights."""

from collections.abc import Sequence
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from fiber.data.batch import SampleKey
from fiber.utils.errors import UserError


class KeyedSample(Protocol):
    """A named tuple with a field `key`."""

    def _replace(self, **fields: Any) -> Self: ...


S = TypeVar("S", bound=KeyedSample)
S_co = TypeVar("S_co", bound=KeyedSample, covariant=True)


class SampleSource(Protocol[S_co]):
    """What the sampler and the loader need of samples, whether of one reader or of several."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: SampleKey) -> S_co: ...


class Mixture(Dataset[S], Generic[S]):
    """Sources one after the other.

    Args:
        sources: the data sets.
        weights: share of draws of each source, any positive scale; None draws every sample once per epoch.

    Raises:
        UserError: as many weights as sources are not given, or one is not positive.
    """

    def __init__(self, sources: Sequence[SampleSource[S]], *, weights: Sequence[float] | None = None) -> None:
        if not sources:
            raise UserError("data.train lists no data set.")
        if weights is not None and (len(weights) != len(sources) or min(weights) <= 0):
            raise UserError(
                f"data.weights={list(weights)}: give one positive number for each of {len(sources)} data sets."
            )
        self.sources = list(sources)
        self.starts = np.concatenate([[0], np.cumsum([len(source) for source in sources])])
        self.shares: NDArray[np.float64] | None = None
        if weights is not None:
            self.shares = np.asarray(weights, dtype=np.float64) / sum(weights)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, key: SampleKey) -> S:
        """Read one sample; its image is numbered within its source."""
        source = int(np.searchsorted(self.starts, key.sample, side="right")) - 1
        sample = self.sources[source][SampleKey(key.sample - int(self.starts[source]), key.draw)]
        return sample._replace(key=key)

    def epoch_order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """Indices of an epoch, as many as there are samples, shuffled.

        Without weights every sample occurs once. With weights the source of each draw is chosen at random, and each
        source runs through a shuffled pass of its own before it repeats a sample.
        """
        rng = np.random.default_rng([seed, epoch])
        if self.shares is None:
            return rng.permutation(len(self))
        choice = rng.choice(len(self.sources), size=len(self), p=self.shares)
        order = np.empty(len(self), dtype=np.int64)
        for source, (start, stop) in enumerate(zip(self.starts[:-1], self.starts[1:], strict=True)):
            mine = choice == source
            passes = -(-int(mine.sum()) // int(stop - start))
            shuffled = [rng.permutation(stop - start) for _ in range(passes)]
            order[mine] = start + np.concatenate([*shuffled, np.empty(0, np.int64)])[: mine.sum()]
        return order
