"""Samples of a reader that go into a small copy."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from fiber.data.readers.arrow_questions import ArrowQuestions
from fiber.data.readers.arrow_statements import ArrowStatements
from fiber.data.readers.base import Reader
from fiber.data.readers.flickr30k_entities import Flickr30kEntities
from fiber.data.readers.karpathy import KarpathyCaptions
from fiber.preparation.image_checks import can_be_decoded

ReaderT = TypeVar("ReaderT", bound=Reader)
ItemT = TypeVar("ItemT")
KeyT = TypeVar("KeyT", bound=Hashable)


class ChosenSamples(NamedTuple, Generic[ReaderT]):
    """Of one reader."""

    reader: ReaderT
    arguments: Mapping[str, Any]
    """The reader was built with."""
    indices: Sequence[int]
    """Samples, in ascending order."""


class Choice(NamedTuple):
    """What was chosen of a reader."""

    indices: list[int]
    """Samples, in ascending order; none if no sample has its images."""
    passed_over: int
    """Samples that would have been chosen, but for images that are missing or cannot be decoded."""


def choose_samples(reader: Reader, max_samples: int, *, seed: int | None) -> Choice:
    """Choose samples whose images are there and can be decoded.

    Sentences about a picture of Flickr30k Entities, and samples of a row of an Arrow table, stay together. Of every
    part of a joined Karpathy split (`train+restval`) there is a sample, without which the file would lack the split.

    Args:
        reader: of all samples.
        max_samples: how many; the first group of samples is taken even if it is larger.
        seed: of the choice; None takes the first samples.
    """
    groups = groups_of(reader)
    order: Sequence[int] = (
        range(len(groups)) if seed is None else np.random.default_rng(seed).permutation(len(groups)).tolist()
    )
    if isinstance(reader, KarpathyCaptions):
        firsts = {reader.parts[place]: place for place in reversed(order)}.values()
        order = list(dict.fromkeys([*firsts, *order]))
    chosen: list[int] = []
    passed_over = 0
    for place in order:
        group = groups[place]
        if chosen and len(chosen) + len(group) > max_samples:
            continue
        if all(can_be_decoded(reader, index) for index in group):
            chosen += group
        else:
            passed_over += len(group)
        if len(chosen) >= max_samples:
            break
    return Choice(sorted(chosen), passed_over)


def groups_of(reader: Reader) -> Sequence[Sequence[int]]:
    """Samples that cannot be told apart in a small file."""
    if isinstance(reader, Flickr30kEntities):
        return list(grouped(range(len(reader)), reader.picture_id).values())
    if isinstance(reader, ArrowQuestions | ArrowStatements):
        return list(grouped(range(len(reader)), reader.location).values())
    return [(index,) for index in range(len(reader))]


def grouped(items: Iterable[ItemT], key: Callable[[ItemT], KeyT]) -> dict[KeyT, list[ItemT]]:
    """Items of one key together."""
    groups: dict[KeyT, list[ItemT]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)
