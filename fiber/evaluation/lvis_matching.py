"""Which detections of one class find which objects (LVIS: Gupta et al. 2019).

Axes: K detections of the class over all images, best first; N objects, image by image; O overlapping pairs of a
detection and an object; R area ranges; T thresholds of IoU.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fiber.evaluation.lvis_boxes import places_within
from fiber.evaluation.lvis_truth import box_areas

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
BLOCK = 10_000
"""Detections whose overlaps are worked out together; an image may hold hundreds of objects."""


class Overlaps(NamedTuple):
    """Pairs of one image whose IoU reaches the least threshold."""

    detection: NDArray[np.int64]
    """O."""
    truth: NDArray[np.int64]
    """O, place of the object."""
    iou: NDArray[np.float64]
    """O."""

    def select(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """Some of the pairs."""
        return type(self)(self.detection[rows], self.truth[rows], self.iou[rows])


class Matches(NamedTuple):
    """What every detection found."""

    counted: NDArray[np.bool_]
    """K R T, an object of the area range."""
    ignored: NDArray[np.bool_]
    """K R T, an object outside of the area range, which neither counts for nor against."""


def find_overlaps(
    image: NDArray[np.int32],
    boxes: NDArray[np.float64],
    true_image: NDArray[np.int64],
    true_boxes: NDArray[np.float64],
) -> Overlaps:
    """Pairs of detections and objects.

    Args:
        image: K.
        boxes: K 4, continuous xyxy.
        true_image: N, ascending.
        true_boxes: N 4.
    """
    parts = []
    for start in range(0, max(1, len(image)), BLOCK):
        block = slice(start, start + BLOCK)
        first, last = (np.searchsorted(true_image, image[block], side) for side in ("left", "right"))
        detection = np.repeat(np.arange(len(first)), last - first)
        truth = first[detection] + places_within(detection)
        iou = pair_iou(boxes[block][detection], true_boxes[truth])
        parts.append(Overlaps(start + detection, truth, iou).select(iou >= IOU_THRESHOLDS[0]))
    return Overlaps(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def pair_iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of each box with its partner; 0 where both are empty."""
    sides: NDArray[np.float64] = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])
    inner = sides.clip(min=0).prod(axis=1)
    union = box_areas(first) + box_areas(second) - inner
    iou: NDArray[np.float64] = np.divide(inner, union, out=np.zeros_like(inner), where=union > 0)
    return iou


def match(overlaps: Overlaps, image: NDArray[np.int32], is_ignored: NDArray[np.bool_]) -> Matches:
    """Give every detection, the best first, the object it overlaps most of those still free; ignored ones come last.

    Of objects that it overlaps alike it gets the last. The images are independent of each other: the first detections
    of all of them are matched at a stroke, then the second ones, and so on.

    Args:
        overlaps: the pairs.
        image: K.
        is_ignored: N R, objects outside of the area range.
    """
    num_ranges, num_thresholds = is_ignored.shape[1], len(IOU_THRESHOLDS)
    is_taken = np.zeros((*is_ignored.shape, num_thresholds), dtype=np.bool_)  # N R T
    counted, ignored = (np.zeros((len(image), num_ranges, num_thresholds), dtype=np.bool_) for _ in range(2))
    for pairs in rounds(overlaps, image):
        is_free = ~is_taken[pairs.truth] & (pairs.iou[:, None, None] >= IOU_THRESHOLDS)  # O R T
        # The pairs of a detection ascend in preference, apart from ignored objects.
        number = np.arange(1, len(pairs.iou) + 1)[:, None] + len(pairs.iou) * ~is_ignored[pairs.truth]  # O R
        starts = np.flatnonzero(np.diff(pairs.detection, prepend=-1))
        best = np.maximum.reduceat(np.where(is_free, number[:, :, None], 0), starts, axis=0)
        row, area_range, threshold = best.nonzero()
        choice = best[row, area_range, threshold] - 1
        detection, truth = pairs.detection[starts[row]], pairs.truth[choice % len(pairs.iou)]
        is_taken[truth, area_range, threshold] = True
        counted[detection, area_range, threshold] = choice >= len(pairs.iou)
        ignored[detection, area_range, threshold] = choice < len(pairs.iou)
    return Matches(counted, ignored)


def rounds(overlaps: Overlaps, image: NDArray[np.int32]) -> Iterator[Overlaps]:
    """Pairs of the first overlapping detection of every image, of the second, ...; of a detection by rising IoU."""
    candidates, candidate = np.unique(overlaps.detection, return_inverse=True)
    by_image = np.argsort(image[candidates], kind="stable")
    place = np.empty(len(candidates), dtype=np.int64)
    place[by_image] = places_within(image[candidates[by_image]])
    order = np.lexsort((overlaps.truth, overlaps.iou, overlaps.detection, place[candidate]))
    for rows in np.split(order, np.flatnonzero(np.diff(place[candidate[order]])) + 1):
        if len(rows):  # nothing overlaps: one part, which is empty
            yield overlaps.select(rows)
