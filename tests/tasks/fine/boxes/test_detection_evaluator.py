"""Judging detection, on worked examples and against COCO's own evaluator."""

import contextlib
import csv
import io
import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fiber.data.evaluation_dataset import DetectionEvaluation
from fiber.data.grounding_batch import Truth
from fiber.data.grounding_transforms import GroundingTransform, GroundingTransformConfig
from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.records import Box
from fiber.detection.postprocessing import Detections
from fiber.evaluation.detection_ap import METRICS
from fiber.models.grounded_detector import GroundedDetector
from fiber.tasks import split_evaluator
from fiber.tasks.fine.boxes.detection_evaluator import DetectionEvaluator

from .judging import Objects, Oracle, batch, class_asker, detections, judged, truth

CLASSES = ("cat", "dog", "owl")
CAT, DOG, OWL = range(3)
Images = Sequence[tuple[Detections, Sequence[Truth]]]


def evaluator(image_ids: Sequence[str]) -> DetectionEvaluator:
    reader = Objects(CLASSES, image_ids)
    return DetectionEvaluator(reader, asker=class_asker(CLASSES), num_samples=len(image_ids))


def summary(images: Images) -> dict[str, float]:
    split = evaluator(["1"] * len(images))
    return split.summarize(judged(split, CLASSES, images))


def corners(x: float, y: float, width: float, height: float) -> Box:
    return x, y, x + width, y + height


def originals_example(last_pixel: float) -> Images:
    """Two images whose detections come in pixels of pictures twice as large.

    Args:
        last_pixel: what the width counts beside the difference of the edges: 1 in the original's arithmetic, here 0.
    """

    def found(score: float, label: int, *box: float) -> tuple[Box, float, int]:
        left, top, right, bottom = (edge / 2 for edge in box)
        return (left, top, right + last_pixel, bottom + last_pixel), score, label

    first = detections(found(0.9, CAT, 20, 20, 98, 98), found(0.3, OWL, 0, 0, 60, 60))
    second = detections(found(0.8, CAT, 0, 0, 30, 30), found(0.6, CAT, 40, 40, 118, 118), found(0.7, DOG, 0, 0, 38, 23))
    return [
        (first, [truth(CAT, 10, 10, 50, 50)]),
        (second, [truth(CAT, 20, 20, 60, 60), truth(DOG, 0, 0, 20, 20)]),
    ]


def six(metrics: dict[str, float]) -> list[float]:
    return [metrics[f"detection/{name}"] for name in ("AP", "AP50", "AP75", "APs", "APm", "APl")]


CAT_AP = (51 + 50 * 2 / 3) / 101


def test_the_originals_example_in_its_arithmetic_has_its_figures() -> None:
    metrics = summary(originals_example(last_pixel=1))
    assert six(metrics) == pytest.approx([0.567492, 0.917492, 0.417492, 0.3, 1.0, -1], abs=1e-6)


def test_the_same_example_in_continuous_pixels() -> None:
    """The cats still match at 0.95 (39 x 39 of 40 x 40), the dog only at 0.5 (19 x 11.5 of 20 x 20)."""
    metrics = summary(originals_example(last_pixel=0))
    dog = 0.1
    assert six(metrics) == pytest.approx([(CAT_AP + dog) / 2, (CAT_AP + 1) / 2, CAT_AP / 2, dog, 1.0, -1])


def test_the_mean_leaves_out_classes_that_are_annotated_nowhere() -> None:
    split = evaluator(["11", "12"])
    results = judged(split, CLASSES, originals_example(last_pixel=1))
    split.summarize(results)
    rows = list(csv.DictReader(io.StringIO(str(split.result_files(results)["average_precision_by_class.csv"]))))
    assert [(row["class"], row["AP"], row["AP50"], row["objects"]) for row in rows] == [
        ("cat", "0.834983", "0.834983", "2"),
        ("dog", "0.3", "1.0", "1"),
        ("owl", "", "", "0"),
        ("mean", "0.567492", "0.917492", "3"),
    ]
    as_the_original = [float(row["AP"] or -1) for row in rows[:3]]
    assert np.mean(as_the_original) == pytest.approx(0.044994, abs=1e-6)


def test_results_are_written_by_the_data_sets_own_numbers_with_continuous_boxes() -> None:
    split = evaluator(["11", "street_12"])
    results = judged(split, CLASSES, originals_example(last_pixel=0))
    split.summarize(results)
    files = split.result_files(results)
    assert json.loads(str(files["coco_results.json"])) == [
        {"image_id": 11, "category_id": 11, "bbox": [10, 10, 39, 39], "score": 0.9},
        {"image_id": 11, "category_id": 33, "bbox": [0, 0, 30, 30], "score": 0.3},
        {"image_id": "street_12", "category_id": 11, "bbox": [0, 0, 15, 15], "score": 0.8},
        {"image_id": "street_12", "category_id": 11, "bbox": [20, 20, 39, 39], "score": 0.6},
        {"image_id": "street_12", "category_id": 22, "bbox": [0, 0, 19, 11.5], "score": 0.7},
    ]
    assert isinstance(files["precision_recall.png"], Image.Image)


def official_figures(annotations: Path, results: Path) -> dict[str, float]:
    """By pycocotools alone."""
    with contextlib.redirect_stdout(io.StringIO()):
        truths = COCO(str(annotations))
        evaluation = COCOeval(truths, truths.loadRes(str(results)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(METRICS, evaluation.stats.tolist(), strict=True))


def test_coco_s_own_example_has_the_published_figures_and_so_has_its_result_file(
    shared: Path, tmp_path: Path, cache: Path
) -> None:
    folder = shared / "data" / "metrics" / "coco_detection"
    published = json.loads((folder / "expected.json").read_text())["published_3dp"]["bbox"]
    annotations = folder / "instances_val2014_100.json"
    reader = CocoDetection(annotations, image_folder=tmp_path, training=False)
    dataset = DetectionEvaluation(reader, transform=GroundingTransform(GroundingTransformConfig()))
    found: dict[str, list[tuple[Box, float, int]]] = {}
    for one in json.loads((folder / "instances_val2014_fakebbox100_results.json").read_text()):
        label = list(reader.category_ids).index(one["category_id"])
        found.setdefault(str(one["image_id"]), []).append((corners(*one["bbox"]), one["score"], label))
    images = [
        (detections(*found.get(reader.image_id(index), [])), dataset.truths(index)) for index in range(len(reader))
    ]
    split = DetectionEvaluator(reader, asker=class_asker(reader.classes), num_samples=len(reader))
    results = judged(split, reader.classes, images)
    metrics = split.summarize(results)
    assert list(metrics) == [f"detection/{name}" for name in METRICS]
    assert [round(value, 3) for value in metrics.values()] == list(published.values())
    result_file = tmp_path / "coco_results.json"
    result_file.write_text(str(split.result_files(results)["coco_results.json"]))
    official = official_figures(annotations, result_file)
    assert [official[name] for name in METRICS] == pytest.approx(list(metrics.values()))  # of the very file


def test_classes_are_judged_in_pixels_of_the_original(
    oracle: Callable[..., Oracle], tiny_detector: GroundedDetector
) -> None:
    # Twice as high and thrice as wide in the network's input.
    oracle(detections(((30, 40, 60, 80), 0.9, DOG)), detections(((0, 0, 60, 80), 0.9, CAT)))
    split = evaluator(["5", "6"])
    seen = batch([truth(DOG, 10, 20, 20, 40)], [truth(DOG, 0, 0, 20, 40)], prompt=None)
    split.add(tiny_detector, seen, number=0)
    result = split.finish()
    # One of two dogs was found; the other image's cat is of a class that nowhere is.
    assert result.metrics["detection/AP"] == result.metrics["detection/AP75"] == pytest.approx(51 / 101)
    assert json.loads(str(result.files["coco_results.json"]))[0]["bbox"] == [10, 20, 10, 20]
    assert split.picture() is not None


def test_crowds_and_areas_reach_the_judge() -> None:
    found = detections(((0, 0, 10, 20), 0.9, CAT), ((10, 20, 20, 40), 0.5, CAT))
    truths = [truth(CAT, 0, 0, 10, 20, crowd=True), truth(CAT, 10, 20, 20, 40)._replace(area=5000.0)]
    assert six(summary([(found, truths)])) == pytest.approx([1.0, 1.0, 1.0, -1, 1.0, -1])


def test_where_nothing_is_to_be_found_there_is_no_figure_and_nothing_to_draw() -> None:
    split = evaluator(["1", "2"])
    results = judged(split, CLASSES, [(detections(((0, 0, 10, 10), 0.9, CAT)), []), (detections(), [])])
    assert split.summarize(results) == dict.fromkeys([f"detection/{name}" for name in METRICS], -1.0)
    assert list(split.result_files(results)) == ["coco_results.json"]


def test_nothing_found_anywhere_is_an_average_precision_of_nought() -> None:
    split = evaluator(["1", "2"])
    results = judged(split, CLASSES, [(detections(), [truth(CAT, 0, 0, 40, 40)]), (detections(), [])])
    metrics = split.summarize(results)
    assert (metrics["detection/AP"], metrics["detection/AR100"], metrics["detection/APs"]) == (0, 0, -1)
    assert json.loads(str(split.result_files(results)["coco_results.json"])) == []


def test_false_detections_in_images_without_objects_count() -> None:
    right = (detections(((0, 0, 40, 40), 0.5, CAT)), [truth(CAT, 0, 0, 40, 40)])
    empty = (detections(((0, 0, 40, 40), 0.9, CAT)), [])
    assert summary([right])["detection/AP"] == pytest.approx(1.0)
    assert summary([right, empty])["detection/AP"] == pytest.approx(0.5)


def test_prompts_are_encoded_once_per_split(oracle: Callable[..., Oracle], tiny_detector: GroundedDetector) -> None:
    """The weights change between two validations."""
    placed = oracle(*[detections()] * 4)
    split = evaluator(["1", "2"])
    for _ in range(2):
        for first in (0, 1):
            split.add(tiny_detector, batch([], prompt=None, first=first), number=0)
        split.finish()
    assert [classes for _, classes in placed.asked] == [1, 1, 2, 2]


def near_misses() -> Images:
    generator = np.random.default_rng(0)
    images = []
    for _ in range(6):
        left_top = generator.uniform(0, 10, (4, 2))
        boxes = np.concatenate([left_top, left_top + 8], axis=1)
        truths = [truth(index % 2, *box) for index, box in enumerate(boxes[:2].tolist())]
        near, scores = (boxes + generator.normal(size=(4, 4))).tolist(), generator.uniform(size=4).tolist()
        images.append((detections(*zip(map(tuple, near), scores, (CAT, DOG, DOG, CAT), strict=True)), truths))
    return images


def test_two_processes_judge_as_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    images = near_misses()
    alone, first = evaluator(["1"] * 6), evaluator(["1"] * 6)
    results = judged(alone, CLASSES, images)
    expected = alone.summarize(results)
    first.results = {index: results[index] for index in (4, 0, 2)}
    other: Any = pickle.loads(pickle.dumps({index: results[index] for index in (1, 5, 3)}))
    others = iter((other, None))  # the results, and what they are summed up to
    monkeypatch.setattr(split_evaluator, "gather_objects", lambda mine: [mine, next(others)])
    result = first.finish()
    assert result.metrics == expected
    assert result.files["coco_results.json"] == alone.result_files(results)["coco_results.json"]
    assert 0 < expected["detection/AP"] < 1


def test_results_are_compact() -> None:
    """What processes exchange: 24 bytes a detection."""
    split = evaluator(["1"])
    many = detections(*[((0.0, 0.0, 10.0, 10.0), 0.5, CAT)] * 1000)
    (one,) = judged(split, CLASSES, [(many, [])])
    assert len(pickle.dumps(one)) < 25_000


def test_the_monitored_metric_is_among_the_metrics() -> None:
    split = evaluator(["1"])
    assert split.monitored in split.summarize(judged(split, CLASSES, [(detections(), [])]))
