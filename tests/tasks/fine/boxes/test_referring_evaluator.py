"""Judging referring expressions, on worked examples and real proposals."""

import json
from pathlib import Path

import pytest

from fiber.data.grounding_batch import Truth
from fiber.data.records import Box
from fiber.detection.postprocessing import Detections
from fiber.tasks.fine.boxes.referring_evaluator import ReferringEvaluator

from .judging import Expressions, caption, detections, judged, phrase_asker, truth

EXPRESSION = "person in red"


def corners(x: float, y: float, width: float, height: float) -> Box:
    return x, y, x + width, y + height


def evaluator(num_samples: int) -> ReferringEvaluator:
    reader = Expressions([caption(EXPRESSION, EXPRESSION)] * num_samples)
    return ReferringEvaluator(reader, asker=phrase_asker(), num_samples=num_samples)


def originals_example() -> list[tuple[Detections, list[Truth]]]:
    """The first box of the first expression has an IoU of 0.5159 but a generalised one of 0.4715."""
    first = detections(((7, 7, 47, 47), 0.9, 0), ((0, 0, 5, 5), 0.5, 0), ((0, 0, 40, 38), 0.2, 0))
    second = detections(((50, 50, 90, 88), 0.8, 0), ((0, 0, 10, 10), 0.3, 0))
    return [(first, [truth(0, *corners(0, 0, 40, 40))]), (second, [truth(0, *corners(50, 50, 40, 40))])]


def test_the_originals_example() -> None:
    split = evaluator(2)
    results = judged(split, [EXPRESSION], originals_example())
    assert split.summarize(results) == {
        "refcoco/precision_1_iou": 1.0,
        "refcoco/precision_5_iou": 1.0,
        "refcoco/precision_10_iou": 1.0,
        "refcoco/precision_1_giou": 0.5,
        "refcoco/precision_5_giou": 1.0,
        "refcoco/precision_10_giou": 1.0,
    }
    assert split.monitored == "refcoco/precision_1_iou"
    first, second = json.loads(str(split.result_files(results)["referring_results.json"]))
    assert first == {
        "image_id": "70",
        "expression": EXPRESSION,
        "boxes": [[7, 7, 47, 47], [0, 0, 5, 5], [0, 0, 40, 38]],
        "scores": [0.9, 0.5, 0.2],
        "iou": pytest.approx(1089 / 2111, abs=1e-6),
    }
    assert second["image_id"] == "71" and second["iou"] == pytest.approx(0.95)


def test_an_expression_for_which_nothing_was_found_is_a_miss() -> None:
    (found, truths), _ = originals_example()
    split = evaluator(2)
    results = judged(split, [EXPRESSION], [(found, truths), (detections(), truths)])
    metrics = split.summarize(results)
    assert (metrics["refcoco/precision_1_iou"], metrics["refcoco/precision_10_giou"]) == (0.5, 0.5)
    missed = json.loads(str(split.result_files(results)["referring_results.json"]))[1]
    assert (missed["boxes"], missed["scores"], missed["iou"]) == ([], [], 0.0)


def test_boxes_count_by_score_and_of_equal_ones_the_first_found_counts() -> None:
    right, wrong = (0, 0, 10, 10), (50, 50, 60, 60)  # the original would take the larger coordinates first
    split = evaluator(1)
    for first, second, expected in (
        ((right, 0.5, 0), (wrong, 0.5, 0), 1.0),
        ((wrong, 0.5, 0), (right, 0.5, 0), 0.0),
        ((wrong, 0.4, 0), (right, 0.5, 0), 1.0),
    ):
        results = judged(split, [EXPRESSION], [(detections(first, second), [truth(0, *right)])])
        assert split.summarize(results)["refcoco/precision_1_iou"] == expected


def test_real_proposals_by_their_area(shared: Path) -> None:
    folder = shared / "data" / "metrics" / "refcoco"
    expected = json.loads((folder / "expected.json").read_text())["computed"]
    images = []
    for entry in json.loads((folder / "testA_refcoco_unc_dets.json").read_text()):
        found = detections(*((corners(*box), box[2] * box[3], 0) for box in entry["pred_boxes"]))
        images.append((found, [truth(0, *corners(*entry["gt_box"]))]))
    assert len(images) == expected["expressions"] == 38
    split = evaluator(len(images))
    metrics = split.summarize(judged(split, [EXPRESSION], images))
    for rank in (1, 5, 10):
        for overlap in ("iou", "giou"):
            known = expected[f"R@{rank}_{overlap}>=0.5_boxes_by_area"]
            assert metrics[f"refcoco/precision_{rank}_{overlap}"] == pytest.approx(known)
    assert metrics["refcoco/precision_1_iou"] == pytest.approx(9 / 38)
