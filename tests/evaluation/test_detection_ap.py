"""COCO's average precision, by hand and on its own example."""

import json
import random
from pathlib import Path

import pytest

from fiber.data.records import Box
from fiber.evaluation.detection_ap import METRICS, DetectedObject, DetectionAveragePrecision, TrueObject

CAT, DOG, OWL = 1, 2, 3


def corners(x: float, y: float, width: float, height: float) -> Box:
    return x, y, x + width, y + height


def truth(image: int, category: int, *xywh: float, crowd: bool = False) -> TrueObject:
    return TrueObject(image, category, corners(*xywh), crowd, xywh[2] * xywh[3])


def found(image: int, category: int, score: float, *xywh: float) -> DetectedObject:
    return DetectedObject(image, category, corners(*xywh), score)


def precision(truths: list[TrueObject], detections: list[DetectedObject]) -> dict[str, float]:
    collected = DetectionAveragePrecision()
    for image in sorted({one.image for one in [*truths, *detections]}):
        collected.add(
            image, [one for one in truths if one.image == image], [one for one in detections if one.image == image]
        )
    return collected.metrics()


def test_the_originals_example() -> None:
    truths = [truth(11, CAT, 10, 10, 40, 40), truth(12, CAT, 20, 20, 40, 40), truth(12, DOG, 0, 0, 20, 20)]
    detections = [
        found(11, CAT, 0.9, 10, 10, 40, 40),
        found(11, OWL, 0.3, 0, 0, 31, 31),  # of a class that is nowhere
        found(12, CAT, 0.8, 0, 0, 16, 16),
        found(12, CAT, 0.6, 20, 20, 40, 40),
        found(12, DOG, 0.7, 0, 0, 20, 12.5),
    ]
    metrics = precision(truths, detections)
    assert list(metrics) == list(METRICS)
    expected = {"AP": 0.567492, "AP50": 0.917492, "AP75": 0.417492, "APs": 0.3, "APm": 1.0, "APl": -1.0}
    assert metrics == pytest.approx(expected, abs=1e-6)


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
    metrics = collected.metrics()
    names = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
    assert list(metrics.values()) == pytest.approx([expected[name] for name in names], abs=1e-4)
    assert [round(value, 3) for value in metrics.values()] == [0.505, 0.697, 0.573, 0.586, 0.519, 0.501]


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
    assert nothing == {"AP": 0, "AP50": 0, "AP75": 0, "APs": -1, "APm": 0, "APl": -1}


def test_where_nothing_was_to_be_found_there_is_no_figure() -> None:
    assert precision([], [found(1, CAT, 0.9, 0, 0, 40, 40)]) == dict.fromkeys(METRICS, -1.0)
    empty = DetectionAveragePrecision()
    empty.add(1, [], [])
    assert empty.metrics() == dict.fromkeys(METRICS, -1.0)


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    precision([truth(1, CAT, 0, 0, 40, 40)], [found(1, CAT, 0.9, 0, 0, 40, 40)])
    assert capsys.readouterr().out == ""


def test_an_image_counts_once() -> None:
    collected = DetectionAveragePrecision()
    collected.add(1, [], [])
    with pytest.raises(AssertionError, match="image 1 came twice"):
        collected.add(1, [], [])
