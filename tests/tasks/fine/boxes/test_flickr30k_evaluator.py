"""Judging the phrases of Flickr30k Entities, on the original's example."""

import csv
import io
import json
from typing import Any

from fiber.data.grounding_batch import Truth
from fiber.detection.postprocessing import Detections
from fiber.tasks.fine.boxes.flickr30k_evaluator import Flickr30kEvaluator

from .judging import Entities, caption, detections, judged, phrase_asker, truth

TEXT = "Two men hold a red ball near the beach ."
PHRASES = ("Two men", "a red ball", "the beach")
TYPES = (("people",), ("other",), ("scene",))
TRUTHS = [truth(0, 0, 0, 20, 40), truth(0, 30, 0, 50, 40), truth(1, 60, 60, 80, 80)]  # the beach has no box
FOUND = detections(
    ((0, 0, 50, 40), 0.9, 0),  # IoU 0.4 with either man
    ((30, 0, 50, 38), 0.8, 0),
    ((0, 0, 10, 10), 0.7, 1),
    ((60, 60, 80, 72), 0.6, 1),
)


def evaluator(types: Any = TYPES, num_samples: int = 1) -> Flickr30kEvaluator:
    reader = Entities([caption(TEXT, *PHRASES)] * num_samples, [types] * num_samples)
    return Flickr30kEvaluator(reader, asker=phrase_asker(), num_samples=num_samples)


def summary(found: Detections, truths: list[Truth], types: Any = TYPES) -> dict[str, float]:
    split = evaluator(types)
    return split.summarize(judged(split, PHRASES, [(found, truths)]))


def with_types(recall_1: tuple[float, float, float], others: float, group: str) -> dict[str, float]:
    """Metrics of a protocol: recall at 1 of all, `other` and `people`, and one value for all else."""
    metrics = {}
    for suffix, value in zip(("", "_other", "_people"), recall_1, strict=True):
        metrics[f"{group}/recall_1{suffix}"] = value
        metrics |= {f"{group}/{name}{suffix}": others for name in ("recall_5", "recall_10", "upper_bound")}
    return metrics


def test_the_originals_example() -> None:
    metrics = summary(FOUND, TRUTHS)
    assert metrics == with_types((0.0, 0.0, 0.0), 1.0, "flickr30k") | with_types(
        (0.5, 0.0, 1.0), 1.0, "flickr30k_merged"
    )
    assert Flickr30kEvaluator.monitored in metrics


def test_a_phrase_counts_once_among_all_and_once_for_each_of_its_types() -> None:
    metrics = summary(FOUND, TRUTHS, types=(("people", "clothing"), ("people",), ("scene",)))
    assert metrics["flickr30k_merged/recall_1"] == 0.5
    assert metrics["flickr30k_merged/recall_1_people"] == 0.5
    assert metrics["flickr30k_merged/recall_1_clothing"] == 1.0
    assert not [name for name in metrics if name.endswith("_scene")]  # none of them was to be found


def test_a_phrase_for_which_nothing_was_found_is_a_miss() -> None:
    metrics = summary(detections(((60, 60, 80, 72), 0.6, 1)), TRUTHS)
    assert (metrics["flickr30k/recall_1"], metrics["flickr30k/upper_bound_people"]) == (0.5, 0.0)


def test_the_upper_bound_counts_all_boxes_of_a_phrase() -> None:
    wrong = [((90.0, 90.0, 99.0, 99.0), 0.9, 1)] * 10
    metrics = summary(detections(*wrong, ((60, 60, 80, 80), 0.1, 1)), TRUTHS[2:])
    assert (metrics["flickr30k/recall_10"], metrics["flickr30k/upper_bound"]) == (0.0, 1.0)


def test_every_sentence_is_written_and_the_table_holds_the_metrics() -> None:
    split = evaluator(num_samples=2)
    results = judged(split, PHRASES, [(FOUND, TRUTHS), (detections(), [])])
    files = split.result_files(results)
    first, second = json.loads(str(files["flickr30k_predictions.json"]))
    assert (first["image_id"], first["sentence"]) == ("70", TEXT)
    assert first["phrases"][1] == {
        "phrase": "a red ball",
        "types": ["other"],
        "boxes": [[0, 0, 10, 10], [60, 60, 80, 72]],
        "scores": [0.7, 0.6],
    }
    assert [phrase["boxes"] for phrase in second["phrases"]] == [[]] * 3
    rows = list(csv.DictReader(io.StringIO(str(files["flickr30k_recall.csv"]))))
    assert [(row["protocol"], row["type"], int(row["phrases"])) for row in rows] == [
        (protocol, kind, count)
        for protocol in ("flickr30k", "flickr30k_merged")
        for kind, count in (("all", 2), ("other", 1), ("people", 1))
    ]
    metrics = split.summarize(results)
    for row in rows:
        suffix = "" if row["type"] == "all" else f"_{row['type']}"
        for name in ("recall_1", "recall_5", "recall_10", "upper_bound"):
            assert float(row[name]) == metrics[f"{row['protocol']}/{name}{suffix}"]
