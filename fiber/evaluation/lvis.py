"""LVIS' average precision of boxes: a class counts in the images that were checked for it (Gupta et al. 2019).

Axes: K detections of a class, best first; N objects of it; C classes; R area ranges; T thresholds of IoU.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fiber.evaluation.lvis_boxes import ScoredBoxes, by_class_and_score
from fiber.evaluation.lvis_matching import IOU_THRESHOLDS, find_overlaps, match
from fiber.evaluation.lvis_truth import GroundTruth, box_areas

DETECTIONS_PER_IMAGE = 300
"""Standard protocol: the best of every image, over all classes."""
DETECTIONS_PER_CLASS = 10_000
"""Fixed protocol (Dave et al. 2021): the best of every class over all images, however many of them in one image."""
RECALL_POINTS = np.linspace(0, 1, 101)
NO_FIGURE = -1.0
"""Where nothing was to be found."""
FREQUENCIES = ("r", "c", "f")


class AreaRange(NamedTuple):
    """Sizes of objects that are judged together."""

    suffix: str
    lowest: float
    """Square pixels, inclusive."""
    highest: float
    """Square pixels, inclusive."""

    def excludes(self, areas: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Which areas lie outside."""
        return (areas < self.lowest) | (areas > self.highest)


AREA_RANGES = (
    AreaRange("", 0, np.inf),
    AreaRange("s", 0, 32**2),
    AreaRange("m", 32**2, 96**2),
    AreaRange("l", 96**2, np.inf),
)


class Curves(NamedTuple):
    """Figures of one class or, with an axis in front, of all; NaN where no object was to be found."""

    precision: NDArray[np.float64]
    """R T, mean over all recalls."""
    recall: NDArray[np.float64]
    """R T, of all detections."""

    @classmethod
    def unknown(cls, *shape: int) -> Self:
        """Nothing but NaN."""
        return cls(np.full(shape, np.nan), np.full(shape, np.nan))


class LvisFigures(NamedTuple):
    """In [0, 1]; -1 where nothing was to be found."""

    metrics: dict[str, float]
    """AP, AP50, AP75; by area APs, APm, APl; by frequency of the class APr, APc, APf; AR, ARs, ARm, ARl."""
    class_precision: NDArray[np.float64]
    """C, AP of every class."""


def evaluate_lvis(truth: GroundTruth, found: ScoredBoxes) -> LvisFigures:
    """Average precision and recall over all images.

    Detections of classes that an image was not checked for are left out; those that find no object are not held against
    a model where objects may be without a box. Limits on the number of detections are left to the caller.
    """
    found = found.select(truth.is_judged(found.image, found.class_index))
    found = found.select(by_class_and_score(found))
    is_lenient = truth.is_not_exhaustive(found.image, found.class_index)
    curves = Curves.unknown(len(truth.frequencies), len(AREA_RANGES), len(IOU_THRESHOLDS))
    for class_index in np.unique(truth.class_index):
        objects = np.flatnonzero(truth.class_index == class_index)
        rows = np.arange(*np.searchsorted(found.class_index, [class_index, class_index + 1]))
        curves.precision[class_index], curves.recall[class_index] = class_curves(
            truth, objects, found.select(rows), is_lenient[rows]
        )
    return summarize(curves, truth.frequencies)


def class_curves(
    truth: GroundTruth, objects: NDArray[np.int64], found: ScoredBoxes, is_lenient: NDArray[np.bool_]
) -> Curves:
    """Figures of one class.

    Args:
        truth: of all classes.
        objects: N, which of them are of the class.
        found: K, of the class.
        is_lenient: K, where a detection without an object does not count.
    """
    curves = Curves.unknown(len(AREA_RANGES), len(IOU_THRESHOLDS))
    is_ignored = np.stack([one.excludes(truth.areas[objects]) for one in AREA_RANGES], axis=1)  # N R
    boxes = found.boxes.astype(np.float64)
    overlaps = find_overlaps(found.image, boxes, truth.image[objects], truth.boxes[objects])
    matches = match(overlaps, found.image, is_ignored)
    for number, area_range in enumerate(AREA_RANGES):
        num_objects = int((~is_ignored[:, number]).sum())
        if num_objects:
            is_wrong = ~(matches.counted[:, number] | matches.ignored[:, number])
            is_wrong[is_lenient | area_range.excludes(box_areas(boxes))] = False
            precision, recall = average_precision(matches.counted[:, number], is_wrong, num_objects)
            curves.precision[number], curves.recall[number] = precision, recall
    return curves


def average_precision(
    is_right: NDArray[np.bool_], is_wrong: NDArray[np.bool_], num_objects: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean precision over 101 recalls, and the recall in the end.

    Args:
        is_right: K T.
        is_wrong: K T; a detection may be neither.
        num_objects: to be found.

    Returns:
        T each.
    """
    right, wrong = (flags.cumsum(axis=0) for flags in (is_right, is_wrong))
    recall = right / num_objects
    precision = right / (right + wrong).clip(min=1)
    best_from_here = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    means = np.zeros(is_right.shape[1])
    for threshold in range(len(means)):
        places = np.searchsorted(recall[:, threshold], RECALL_POINTS)
        means[threshold] = best_from_here[places[places < len(recall)], threshold].sum() / len(RECALL_POINTS)
    return means, is_right.sum(axis=0) / num_objects


def summarize(curves: Curves, frequencies: Sequence[str]) -> LvisFigures:
    """Means over classes and thresholds of IoU."""
    precision = dict(zip((one.suffix for one in AREA_RANGES), curves.precision.swapaxes(0, 1), strict=True))  # C T each
    recall = dict(zip((one.suffix for one in AREA_RANGES), curves.recall.swapaxes(0, 1), strict=True))
    everything, of_class = precision[""], np.array(frequencies)
    metrics = {"AP": mean_of_known(everything)}
    for percent in (50, 75):
        (place,) = np.flatnonzero(np.isclose(IOU_THRESHOLDS, percent / 100))
        metrics[f"AP{percent}"] = mean_of_known(everything[:, place])
    metrics |= {f"AP{suffix}": mean_of_known(values) for suffix, values in precision.items() if suffix}
    metrics |= {f"AP{one}": mean_of_known(everything[of_class == one]) for one in FREQUENCIES}
    metrics |= {f"AR{suffix}": mean_of_known(values) for suffix, values in recall.items()}
    return LvisFigures(metrics, np.nan_to_num(everything.mean(axis=1), nan=NO_FIGURE))


def mean_of_known(values: NDArray[np.float64]) -> float:
    """Mean of what is not NaN; -1 where all is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else NO_FIGURE
