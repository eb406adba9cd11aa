"""Detections of a whole data set as arrays, and the best of them.

Axes: K detections, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

SLACK = 2**20
"""Detections above the limits that are kept before they are looked through."""


@dataclass(frozen=True)
class ScoredBoxes:
    """Detections, those of one image in the order in which they were found; images in any order."""

    image: NDArray[np.int32]
    """K, place in the reader."""
    class_index: NDArray[np.int32]
    """K, place in the reader's classes."""
    boxes: NDArray[np.floating[Any]]
    """K 4, continuous xyxy in pixels."""
    scores: NDArray[np.floating[Any]]
    """K, of any range; more is better."""

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, rows: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Self:
        """Some of the detections."""
        return type(self)(self.image[rows], self.class_index[rows], self.boxes[rows], self.scores[rows])


def join(parts: Sequence[ScoredBoxes]) -> ScoredBoxes:
    """Several parts one after the other; the detections of an image may not be spread over parts out of order."""
    if not parts:
        none = np.zeros(0, dtype=np.int32)
        return ScoredBoxes(none, none, np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32))
    return ScoredBoxes(
        np.concatenate([part.image for part in parts]),
        np.concatenate([part.class_index for part in parts]),
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def by_class_and_score(boxes: ScoredBoxes) -> NDArray[np.int64]:
    """Order of the detections: by class, the best first; of equal ones by image, then as they were found.

    It does not depend on the order of the images, and so not on how processes shared them.
    """
    return np.lexsort((boxes.image, -boxes.scores, boxes.class_index))


def best_per_class(boxes: ScoredBoxes, limit: int) -> ScoredBoxes:
    """The best detections of every class over all images, in the order in which they came."""
    order = by_class_and_score(boxes)
    return boxes.select(np.sort(order[places_within(boxes.class_index[order]) < limit]))


def best_per_image(boxes: ScoredBoxes, limit: int) -> ScoredBoxes:
    """The best detections of every image over all classes, image by image, the best first."""
    order = np.lexsort((-boxes.scores, boxes.image))
    return boxes.select(order[places_within(boxes.image[order]) < limit])


def places_within(groups: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Place of each element, from 0, in its run of equal neighbours: 5 5 2 2 2 -> 0 1 0 1 2."""
    begins = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))
    return np.arange(len(groups)) - np.repeat(begins, np.diff(begins, append=len(groups)))


class BestPerClass:
    """Collects detections and keeps the best of every class, in bounded memory.

    Args:
        num_classes: C.
        limit: detections of a class that are kept.
        slack: detections above the limits that are held for a while, over all classes.
    """

    def __init__(self, num_classes: int, *, limit: int, slack: int = SLACK) -> None:
        self.limit, self.slack = limit, slack
        self.kept = join([])
        self.pending: list[ScoredBoxes] = []
        self.num_pending = 0
        self.floors = np.full(num_classes, -np.inf)
        """C, the least score that may still be among the best."""

    def __len__(self) -> int:
        return len(self.kept) + self.num_pending

    def add(self, boxes: ScoredBoxes) -> None:
        """Detections of images that have not been seen yet."""
        boxes = boxes.select(boxes.scores >= self.floors[boxes.class_index])  # an equal one may be of an earlier image
        self.pending.append(boxes)
        self.num_pending += len(boxes)
        if self.num_pending > self.slack:
            self.prune()

    def prune(self) -> None:
        """Drop all but the best."""
        self.kept = best_per_class(join([self.kept, *self.pending]), self.limit)
        self.pending, self.num_pending = [], 0
        full = np.bincount(self.kept.class_index, minlength=len(self.floors)) >= self.limit
        lowest = np.full(len(self.floors), np.inf)
        np.minimum.at(lowest, self.kept.class_index, self.kept.scores)
        self.floors = np.where(full, lowest, -np.inf)

    def best(self) -> ScoredBoxes:
        """The best detections of every class so far."""
        self.prune()
        return self.kept
