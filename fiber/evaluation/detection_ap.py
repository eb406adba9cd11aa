"""COCO's average precision of detected boxes."""

import contextlib
import io
from collections.abc import Iterable
from typing import Any, NamedTuple

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fiber.data.records import Box

METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl")
"""COCO's first six figures, in their order; -1 where nothing was to be found."""


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

    def metrics(self) -> dict[str, float]:
        """COCO's figures by name, in [0, 1] or -1."""
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
            truth = COCO()
            truth.dataset = self.dataset()
            truth.createIndex()
            found = truth.loadRes([result(one) for one in self.detections]) if self.detections else COCO()
            evaluation = COCOeval(truth, found, "bbox")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return {name: float(value) for name, value in zip(METRICS, evaluation.stats[: len(METRICS)], strict=True)}

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


def result(found: DetectedObject) -> dict[str, Any]:
    """A detection as COCO's result files have it."""
    box = width_and_height(found.box)
    return {"image_id": found.image, "category_id": found.category, "bbox": box, "score": found.score}


def width_and_height(box: Box) -> list[float]:
    """xyxy to COCO's x, y, width and height."""
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]
