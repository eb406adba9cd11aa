"""Judging phrases, without a trained model."""

import json
import pickle
from collections.abc import Callable

from fiber.data.records import Box
from fiber.detection.postprocessing import Detections
from fiber.detection.prompts import Prompt
from fiber.models.grounded_detector import GroundedDetector
from fiber.tasks.fine.boxes.phrase_evaluator import PhraseEvaluator

from .judging import Oracle, WithoutPictures, batch, caption, detections, judged, phrase_asker, truth

TEXT, PHRASES = "Two men hold a red ball", ("Two men", "a red ball")
PROMPT = Prompt(TEXT, (((0, 7),), ((13, 23),)))
WHOLE: Box = (0, 0, 20, 40)
ELSEWHERE: Box = (50, 50, 60, 60)


def evaluator(num_samples: int = 1) -> PhraseEvaluator:
    reader = WithoutPictures([caption(TEXT, *PHRASES)] * num_samples)
    return PhraseEvaluator(reader, asker=phrase_asker(), num_samples=num_samples)


def test_phrases_are_judged_in_pixels_of_the_original(
    oracle: Callable[..., Oracle], tiny_detector: GroundedDetector
) -> None:
    # Twice as high and thrice as wide in the network's input.
    placed = oracle(detections(((30, 40, 60, 80), 0.9, 0), ((0, 0, 30, 40), 0.8, 1), ((0, 0, 60, 20), 0.7, 1)))
    phrases = evaluator()
    seen = batch([truth(0, 10, 20, 20, 40), truth(1, 0, 0, 20, 10)], prompt=PROMPT)
    phrases.add(tiny_detector, seen, number=0)
    assert placed.asked == [([(80, 60)], [PROMPT])]
    result = phrases.finish()
    assert result.metrics == {
        "grounding/recall_1": 0.5,
        "grounding/recall_5": 1.0,
        "grounding/recall_10": 1.0,
        "grounding/upper_bound": 1.0,
    }
    assert json.loads(str(result.files["phrases.json"])) == [
        {
            "image_id": "70",
            "caption": TEXT,
            "phrases": [
                {"phrase": "Two men", "boxes": [[10, 20, 20, 40]], "scores": [0.9]},
                {"phrase": "a red ball", "boxes": [[0, 0, 10, 20], [0, 0, 20, 10]], "scores": [0.8, 0.7]},
            ],
        }
    ]
    assert phrases.picture() is not None


def test_a_phrase_is_judged_by_its_own_boxes_alone_and_a_split_by_its_own_results(
    oracle: Callable[..., Oracle], tiny_detector: GroundedDetector
) -> None:
    phrases = evaluator()
    in_network: Box = (0, 0, 60, 80)
    for label, expected in ((1, 0.0), (0, 1.0)):
        oracle(detections((in_network, 0.9, label)))
        phrases.add(tiny_detector, batch([truth(0, *WHOLE)], prompt=PROMPT), number=0)
        assert phrases.finish().metrics["grounding/recall_10"] == expected


def test_nothing_found_is_missed_and_a_phrase_without_boxes_is_not_judged() -> None:
    phrases = evaluator(2)
    first = (detections((WHOLE, 0.9, 0), (WHOLE, 0.9, 1)), [truth(0, *WHOLE)])
    results = judged(phrases, PHRASES, [first, (detections(), [truth(1, *WHOLE)])])
    assert phrases.summarize(results)["grounding/recall_1"] == 0.5
    second = json.loads(str(phrases.result_files(results)["phrases.json"]))[1]
    assert second["phrases"] == [{"phrase": name, "boxes": [], "scores": []} for name in PHRASES]


def test_without_any_box_to_find_recall_is_nought() -> None:
    phrases = evaluator()
    metrics = phrases.summarize(judged(phrases, PHRASES, [(detections((WHOLE, 0.9, 0)), [])]))
    assert set(metrics.values()) == {0.0}


def test_boxes_are_ranked_by_score_and_the_upper_bound_knows_no_rank() -> None:
    phrases = evaluator()
    wrong = [(ELSEWHERE, 0.5 + 0.01 * place, 0) for place in range(10)]
    tenth, eleventh = [(WHOLE, 0.505, 0), *wrong], [(WHOLE, 0.4, 0), *wrong]  # whatever their order
    for found, at_ten in ((tenth, 1.0), (eleventh, 0.0)):
        results = judged(phrases, PHRASES, [(detections(*found), [truth(0, *WHOLE)])])
        metrics = phrases.summarize(results)
        assert (metrics["grounding/recall_5"], metrics["grounding/recall_10"]) == (0.0, at_ten)
        assert metrics["grounding/upper_bound"] == 1.0
        written = json.loads(str(phrases.result_files(results)["phrases.json"]))[0]["phrases"][0]
        assert len(written["boxes"]) == 10 and written["scores"] == sorted(written["scores"], reverse=True)


def test_results_survive_the_way_to_another_process() -> None:
    phrases = evaluator()
    found: Detections = detections((WHOLE, 0.9, 0))
    results = judged(phrases, PHRASES, [(found, [truth(0, *WHOLE)])])
    assert pickle.loads(pickle.dumps(results)) == results


def test_the_monitored_metric_is_among_the_metrics() -> None:
    phrases = evaluator()
    metrics = phrases.summarize(judged(phrases, PHRASES, [(detections(), [truth(0, *WHOLE)])]))
    assert phrases.monitored in metrics
