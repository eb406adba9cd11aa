"""COCO's average precision, by hand and on its own example."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from fiber.data.records import Box
from fiber.evaluation.detection_ap import (
    METRICS,
    RECALLS,
    DetectedObject,
    DetectionAveragePrecision,
    DetectionResult,
    TrueObject,
    width_and_height,
)

CAT, DOG, OWL = 1, 2, 3


def corners(x: float, y: float, width: float, height: float) -> Box:
    return x, y, x + width, y + height


def truth(image: int, category: int, *xywh: float, crowd: bool = False) -> TrueObject:
    return TrueObject(image, category, corners(*xywh), crowd, xywh[2] * xywh[3])


def found(image: int, category: int, score: float, *xywh: float) -> DetectedObject:
    return DetectedObject(image, category, corners(*xywh), score)


def evaluate(truths: list[TrueObject], detections: list[DetectedObject]) -> DetectionResult:
    collected = DetectionAveragePrecision()
    for image in sorted({one.image for one in [*truths, *detections]}):
        collected.add(
            image, [one for one in truths if one.image == image], [one for one in detections if one.image == image]
        )
    return collected.evaluate()


def precision(truths: list[TrueObject], detections: list[DetectedObject]) -> dict[str, float]:
    return evaluate(truths, detections).metrics


def originals_example() -> tuple[list[TrueObject], list[DetectedObject]]:
    truths = [truth(11, CAT, 10, 10, 40, 40), truth(12, CAT, 20, 20, 40, 40), truth(12, DOG, 0, 0, 20, 20)]
    detections = [
        found(11, CAT, 0.9, 10, 10, 40, 40),
        found(11, OWL, 0.3, 0, 0, 31, 31),  # of a class that is nowhere
        found(12, CAT, 0.8, 0, 0, 16, 16),
        found(12, CAT, 0.6, 20, 20, 40, 40),
        found(12, DOG, 0.7, 0, 0, 20, 12.5),  # IoU 0.625, right at 3 thresholds of 10
    ]
    return truths, detections


def test_the_originals_example() -> None:
    metrics = precision(*originals_example())
    assert list(metrics) == list(METRICS)
    expected = {"AP": 0.567492, "AP50": 0.917492, "AP75": 0.417492, "APs": 0.3, "APm": 1.0, "APl": -1.0}
    # The second cat is but the second best of its image.
    recall = {"AR1": (0.5 + 0.3) / 2, "AR10": 0.65, "AR100": 0.65, "ARs": 0.3, "ARm": 1.0, "ARl": -1.0}
    assert metrics == pytest.approx(expected | recall, abs=1e-6)


def test_categories_and_curves_are_of_the_same_evaluation() -> None:
    """A cat found, a false one, the other cat: precision 1 up to half the cats and 2 / 3 from there on."""
    result = evaluate(*originals_example())
    cat, dog = result.by_category[CAT], result.by_category[DOG]
    assert list(result.by_category) == [CAT, DOG]  # there is no owl to be found
    assert (cat.num_objects, dog.num_objects) == (2, 1)
    assert (cat.ap, cat.ap50) == pytest.approx((0.834983, 0.834983), abs=1e-6)
    assert (dog.ap, dog.ap50) == pytest.approx((0.3, 1.0))
    curve = np.where(RECALLS <= 0.5, 1.0, 2 / 3)
    np.testing.assert_allclose(cat.curves.iou_50, curve)
    np.testing.assert_allclose(dog.curves.iou_75, 0)
    assert result.curves is not None
    np.testing.assert_allclose(result.curves.iou_50, (curve + 1) / 2)
    np.testing.assert_allclose(result.curves.iou_75, curve / 2)
    np.testing.assert_allclose(result.curves.mean, (curve + 0.3) / 2)


def test_coco_s_own_example_has_the_published_figures(shared: Path) -> None:
    folder = shared / "data" / "metrics" / "coco_detection"
    expected = json.loads((folder / "expected.json").read_text())["computed"]["bbox"]
    annotations = json.loads((folder / "instances_val2014_100.json").read_text())
    results = json.loads((folder / "instances_val2014_fakebbox100_results.json").read_text())
    collected = DetectionAveragePrecision()
    images = [image["id"] for image in annotations["images"]]
    random.Random(0).shuffle(images)
    for image in images:
        collected.add(
            image,
            [
                TrueObject(image, one["category_id"], corners(*one["bbox"]), bool(one["iscrowd"]), one["area"])
                for one in annotations["annotations"]
                if one["image_id"] == image
            ],
            [
                DetectedObject(image, one["category_id"], corners(*one["bbox"]), one["score"])
                for one in results
                if one["image_id"] == image
            ],
        )
    result = collected.evaluate()
    assert list(result.metrics.values()) == pytest.approx(list(expected.values()))  # both in COCO's order
    published = [0.505, 0.697, 0.573, 0.586, 0.519, 0.501, 0.387, 0.594, 0.595, 0.640, 0.566, 0.564]
    assert [round(value, 3) for value in result.metrics.values()] == published
    assert result.curves is not None
    areas = [float(curve.mean()) for curve in (result.curves.mean, result.curves.iou_50, result.curves.iou_75)]
    assert areas == pytest.approx([result.metrics[name] for name in ("AP", "AP50", "AP75")])
    assert sum(one.num_objects for one in result.by_category.values()) == sum(
        not one["iscrowd"] for one in annotations["annotations"]
    )


def test_detections_on_a_crowd_are_neither_right_nor_wrong() -> None:
    truths = [truth(1, CAT, 0, 0, 40, 40, crowd=True), truth(1, CAT, 50, 50, 40, 40)]
    right, on_crowd = found(1, CAT, 0.5, 50, 50, 40, 40), [found(1, CAT, 0.9, 0, 0, 20, 20)] * 2
    assert precision(truths, [right, *on_crowd])["AP"] == pytest.approx(1.0)
    no_crowd = [one._replace(is_crowd=False) for one in truths]
    assert precision(no_crowd, [right, *on_crowd])["AP"] < 0.5


def test_sizes_are_by_the_annotated_area() -> None:
    mask = truth(1, CAT, 0, 0, 40, 40)._replace(area=900.0)  # less than 32 x 32, unlike its box
    metrics = precision([mask], [found(1, CAT, 0.9, 0, 0, 40, 40)])
    assert (metrics["APs"], metrics["APm"]) == (pytest.approx(1.0), -1)


def test_objects_without_any_detection_are_all_missed_and_absent_sizes_stay_absent() -> None:
    nothing = precision([truth(1, CAT, 0, 0, 40, 40)], [])
    absent = {"APs", "APl", "ARs", "ARl"}
    assert nothing == {name: -1 if name in absent else 0 for name in METRICS}


def test_where_nothing_was_to_be_found_there_is_no_figure() -> None:
    nowhere = evaluate([], [found(1, CAT, 0.9, 0, 0, 40, 40)])
    only_crowd = evaluate([truth(1, CAT, 0, 0, 40, 40, crowd=True)], [])
    collected = DetectionAveragePrecision()
    collected.add(1, [], [])
    for empty in (nowhere, only_crowd, collected.evaluate()):
        assert empty == DetectionResult(dict.fromkeys(METRICS, -1.0), {}) and empty.curves is None


def test_what_single_precision_leaves_behind_does_not_count() -> None:
    """An overlap of exactly 0.75 is enough, also where a box's edges are a little off."""
    exact = found(1, CAT, 0.9, 0, 0, 30.3, 40)
    left, top, right, bottom = np.array(exact.box, dtype=np.float32).tolist()
    for one in (exact, exact._replace(box=(left, top, right, bottom))):
        assert precision([truth(1, CAT, 0, 0, 40.4, 40)], [one])["AP75"] == pytest.approx(1.0)


def test_widths_are_as_annotated() -> None:
    x, width = 41.29, 40.0
    assert (x + width) - x != width
    assert width_and_height(corners(x, x, width, width)) == [x, x, width, width]


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    precision([truth(1, CAT, 0, 0, 40, 40)], [found(1, CAT, 0.9, 0, 0, 40, 40)])
    assert capsys.readouterr().out == ""


def test_an_image_counts_once() -> None:
    collected = DetectionAveragePrecision()
    collected.add(1, [], [])
    with pytest.raises(AssertionError, match="image 1 came twice"):
        collected.add(1, [], [])
