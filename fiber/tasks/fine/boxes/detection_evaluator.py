"""Judging the objects of given classes in the images of a split.

Axes: K detections of an image.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fiber.data.grounding_batch import Truth
from fiber.data.readers.task_readers import DetectionReader
from fiber.evaluation.detection_ap import (
    DetectedObject,
    DetectionAveragePrecision,
    DetectionResult,
    TrueObject,
    coco_record,
)
from fiber.evaluation.precision_recall import draw_precision_recall
from fiber.tasks.fine.boxes.asking import ClassAsker, ImageResult
from fiber.tasks.fine.boxes.box_evaluator import BoxEvaluator
from fiber.tasks.split_evaluator import ResultFile

CSV_DECIMALS = 6


class JudgedImage(NamedTuple):
    """What one image shows and what was found in it, in pixels of the original image."""

    boxes: NDArray[np.float32]
    """K 4, continuous xyxy."""
    scores: NDArray[np.float32]
    """K."""
    labels: NDArray[np.int32]
    """K, places in the classes."""
    truths: tuple[Truth, ...]

    def detections(self, image: int) -> Iterator[DetectedObject]:
        """One by one."""
        parts = (self.boxes.tolist(), self.scores.tolist(), self.labels.tolist())
        for (left, top, right, bottom), score, label in zip(*parts, strict=True):
            yield DetectedObject(image, label, (left, top, right, bottom), score)

    def objects(self, image: int) -> Iterator[TrueObject]:
        """One by one."""
        for truth in self.truths:
            yield TrueObject(image, truth.label, truth.box, truth.is_crowd, truth.area)


class DetectionEvaluator(BoxEvaluator[JudgedImage]):
    """Finds every object of the reader's classes.

    Metrics: COCO's twelve, `detection/AP`, `AP50`, `AP75`, `APs`, `APm`, `APl`, `AR1`, `AR10`, `AR100`, `ARs`, `ARm`
    and `ARl`, in [0, 1], or -1 where nothing was to be found.

    Files: `coco_results.json` in COCO's result format, with boxes of continuous width and height;
    `average_precision_by_class.csv` with the mean over annotated classes on its last line; `precision_recall.png`. The
    last two only where anything was to be found.

    Args:
        reader: the split.
        asker: asks for the reader's classes.
        num_samples: the first so many images are judged.
    """

    monitored = "detection/AP"

    def __init__(self, reader: DetectionReader, *, asker: ClassAsker, num_samples: int) -> None:
        super().__init__(reader.name, asker=asker, num_samples=num_samples)
        self.reader = reader
        self.precision: DetectionResult | None = None
        """Of the split that was summed up last: it takes a minute on COCO, and metrics and files come from it."""

    def judge_image(self, found: ImageResult, truths: Sequence[Truth]) -> JudgedImage:
        boxes, scores, labels = (part.numpy() for part in found.detections)
        return JudgedImage(boxes, scores, labels.astype(np.int32), tuple(truths))

    def summarize(self, results: Sequence[JudgedImage]) -> dict[str, float]:
        collected = DetectionAveragePrecision()
        for image, judged in enumerate(results):
            collected.add(image, judged.objects(image), judged.detections(image))
        self.precision = collected.evaluate()
        return {f"detection/{name}": value for name, value in self.precision.metrics.items()}

    def result_files(self, results: Sequence[JudgedImage]) -> dict[str, ResultFile]:
        assert self.precision is not None, "files come after metrics"
        files: dict[str, ResultFile] = {"coco_results.json": json.dumps(self.coco_results(results)) + "\n"}
        if self.precision.by_category:
            files["average_precision_by_class.csv"] = self.class_table(self.precision)
            files["precision_recall.png"] = draw_precision_recall(self.precision, self.reader.classes, self.reader.name)
        return files

    def coco_results(self, results: Sequence[JudgedImage]) -> list[dict[str, Any]]:
        """Records of COCO's result format by the data set's own numbers of images and categories."""
        return [
            coco_record(one)
            | {
                "image_id": official_id(self.reader.image_id(image)),
                "category_id": self.reader.category_ids[one.category],
            }
            for image, judged in enumerate(results)
            for one in judged.detections(image)
        ]

    def class_table(self, precision: DetectionResult) -> str:
        """Average precision by class; blank where a class is annotated nowhere, and then no part of the mean."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["class", "AP", "AP50", "objects"])
        for label, name in enumerate(self.reader.classes):
            one = precision.by_category.get(label)
            if one is None:
                writer.writerow([name, "", "", 0])
            else:
                writer.writerow([name, round(one.ap, CSV_DECIMALS), round(one.ap50, CSV_DECIMALS), one.num_objects])
        mean = (round(precision.metrics[metric], CSV_DECIMALS) for metric in ("AP", "AP50"))
        writer.writerow(["mean", *mean, sum(one.num_objects for one in precision.by_category.values())])
        return table.getvalue()


def official_id(image_id: str) -> int | str:
    """An image's identifier as result files have it: a number where it is one."""
    return int(image_id) if image_id.isdecimal() else image_id
