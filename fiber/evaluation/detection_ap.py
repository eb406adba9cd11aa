"""COCO's average precision and recall of detected boxes.

Axes: T IoU thresholds, R recall points, Y categories.
"""

import contextlib
import io
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fiber.data.records import Box

METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
"""COCO's figures in their order; -1 where nothing was to be found."""
RECALLS = np.linspace(0.0, 1.0, 101)
"""Where precision is read."""
BOX_DECIMALS, SCORE_DECIMALS = 2, 6
"""Of result files."""
EXACT_DECIMALS = 6
"""More than annotations have."""
IOU_50, IOU_75 = 0, 5
"""Places among COCO's thresholds 0.50, 0.55, ..., 0.95."""


class TrueObject(NamedTuple):
    """One annotated object."""

    image: int
    category: int
    box: Box
    """Continuous xyxy in pixels."""
    is_crowd: bool
    area: float
    """Square pixels."""


class DetectedObject(NamedTuple):
    """One detection."""

    image: int
    category: int
    box: Box
    score: float


class PrecisionCurves(NamedTuple):
    """Precision in [0, 1] at every point of `RECALLS`, float64 R; 0 where that recall is never reached."""

    iou_50: NDArray[np.float64]
    iou_75: NDArray[np.float64]
    mean: NDArray[np.float64]
    """Over the ten thresholds."""


class CategoryPrecision(NamedTuple):
    """One category that is annotated somewhere."""

    num_objects: int
    """Without crowds."""
    curves: PrecisionCurves

    @property
    def ap(self) -> float:
        """Mean over thresholds from 0.5 to 0.95."""
        return float(self.curves.mean.mean())

    @property
    def ap50(self) -> float:
        return float(self.curves.iou_50.mean())


class DetectionResult(NamedTuple):
    """What COCO's evaluation says of a split."""

    metrics: dict[str, float]
    """By the names of `METRICS`, in [0, 1] or -1."""
    by_category: dict[int, CategoryPrecision]
    """Those with anything to be found, in their order."""

    @property
    def curves(self) -> PrecisionCurves | None:
        """Mean over categories; None where nothing was to be found."""
        if not self.by_category:
            return None
        every = [one.curves for one in self.by_category.values()]
        return PrecisionCurves(*(np.mean(part, axis=0) for part in zip(*every, strict=True)))


class DetectionAveragePrecision:
    """Collects objects and detections of images, each image once, in any order."""

    def __init__(self) -> None:
        self.images: set[int] = set()
        self.truths: list[TrueObject] = []
        self.detections: list[DetectedObject] = []

    def add(self, image: int, truths: Iterable[TrueObject], detections: Iterable[DetectedObject]) -> None:
        """One image with all it shows and all that was found."""
        assert image not in self.images, f"image {image} came twice"
        self.images.add(image)
        self.truths += truths
        self.detections += detections

    def evaluate(self) -> DetectionResult:
        """COCO's figures; of an image and category the best 100 detections count."""
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
            truth = COCO()
            truth.dataset = self.dataset()
            truth.createIndex()
            found = truth.loadRes([coco_record(one) for one in self.detections]) if self.detections else COCO()
            evaluation = COCOeval(truth, found, "bbox")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        metrics = {name: float(value) for name, value in zip(METRICS, evaluation.stats, strict=True)}
        return DetectionResult(metrics, self.by_category(evaluation))

    def by_category(self, evaluation: COCOeval) -> dict[int, CategoryPrecision]:
        """Categories from an accumulated evaluation."""
        num_objects = Counter(truth.category for truth in self.truths if not truth.is_crowd)
        precision = evaluation.eval["precision"][:, :, :, 0, -1]  # T R Y, of objects of any size by the best 100
        return {
            category: CategoryPrecision(num_objects[category], PrecisionCurves(own[IOU_50], own[IOU_75], own.mean(0)))
            for category, own in zip(evaluation.params.catIds, np.moveaxis(precision, 2, 0), strict=True)
            if own.min() >= 0  # -1 where nothing was to be found
        }

    def dataset(self) -> dict[str, Any]:
        """The true objects in COCO's layout."""
        annotations = [
            {
                "id": number,
                "image_id": truth.image,
                "category_id": truth.category,
                "bbox": width_and_height(truth.box),
                "area": truth.area,
                "iscrowd": int(truth.is_crowd),
            }
            for number, truth in enumerate(self.truths, start=1)
        ]
        categories = sorted({truth.category for truth in self.truths} | {found.category for found in self.detections})
        return {
            "info": {},
            "images": [{"id": image} for image in sorted(self.images)],
            "annotations": annotations,
            "categories": [{"id": category, "name": str(category)} for category in categories],
        }


def coco_record(found: DetectedObject) -> dict[str, Any]:
    """A detection as COCO's result files have it, and as it is judged.

    Boxes are rounded to a hundredth of a pixel, as COCO's annotations are: what single precision leaves behind would
    move those whose overlap is just at a threshold.
    """
    box = [round(edge, BOX_DECIMALS) for edge in width_and_height(found.box)]
    score = round(found.score, SCORE_DECIMALS)
    return {"image_id": found.image, "category_id": found.category, "bbox": box, "score": score}


def width_and_height(box: Box) -> list[float]:
    """xyxy to COCO's x, y, width and height as they were annotated, without what adding and subtracting left behind."""
    return [box[0], box[1], round(box[2] - box[0], EXACT_DECIMALS), round(box[3] - box[1], EXACT_DECIMALS)]
