"""Judging the phrases of Flickr30k Entities."""

import csv
import io
import json
from collections.abc import Sequence
from typing import NamedTuple

from fiber.data.grounding_batch import Truth
from fiber.data.readers.task_readers import EntitiesReader
from fiber.evaluation.flickr30k_entities import ALL_TYPES, JudgedPhrase, TypeRecall, judge_phrase, recall_by_type
from fiber.evaluation.grounding_recall import METRICS
from fiber.tasks.fine.boxes.asking import ImageResult, PhraseAsker
from fiber.tasks.fine.boxes.box_evaluator import BoxEvaluator
from fiber.tasks.fine.boxes.found_boxes import WrittenBoxes, found_for, true_boxes
from fiber.tasks.split_evaluator import ResultFile

ANY_BOX, MERGED_BOX = "flickr30k", "flickr30k_merged"
"""First parts of the metrics' names, by protocol."""
CSV_DECIMALS = 6


class FoundEntity(NamedTuple):
    """One phrase of a sentence."""

    name: str
    best: WrittenBoxes
    judged: JudgedPhrase | None
    """None where the phrase has no true box, and is not judged."""


class Flickr30kEvaluator(BoxEvaluator[tuple[FoundEntity, ...]]):
    """Finds what every phrase of a sentence names.

    Metrics: `flickr30k/recall_1`, `_5`, `_10`: the share of phrases of which one of the best boxes overlaps any of the
    true ones by an IoU of 0.5 or more; `flickr30k/upper_bound`: the same by all boxes that were found;
    `flickr30k/recall_1_people` and so on by type of phrase; `flickr30k_merged/recall_1` and so on: where the box around
    all true ones is to be found instead.

    Files: `flickr30k_recall.csv`, all this with the number of phrases; `flickr30k_predictions.json`, per sentence its
    phrases with their best ten boxes (xyxy in pixels) and scores.

    Args:
        reader: the split.
        asker: asks for the sentences' phrases.
        num_samples: the first so many sentences are judged.
    """

    monitored = f"{ANY_BOX}/recall_1"

    def __init__(self, reader: EntitiesReader, *, asker: PhraseAsker, num_samples: int) -> None:
        super().__init__(reader.name, asker=asker, num_samples=num_samples)
        self.reader = reader

    def judge_image(self, found: ImageResult, truths: Sequence[Truth]) -> tuple[FoundEntity, ...]:
        phrases = []
        all_types = self.reader.phrase_types(found.image_index)
        for label, (name, types) in enumerate(zip(found.names, all_types, strict=True)):
            own, truth = found_for(found.detections, label), true_boxes(truths, label)
            judged = judge_phrase(own.boxes, truth, types) if len(truth) else None
            phrases.append(FoundEntity(name, WrittenBoxes.best(own), judged))
        return tuple(phrases)

    def summarize(self, results: Sequence[tuple[FoundEntity, ...]]) -> dict[str, float]:
        metrics: dict[str, float] = {}
        for kind, recall in split_recall(results).items():
            suffix = "" if kind == ALL_TYPES else f"_{kind}"
            for protocol, values in by_protocol(recall).items():
                metrics |= {f"{protocol}/{name}{suffix}": value for name, value in values.items()}
        return metrics

    def result_files(self, results: Sequence[tuple[FoundEntity, ...]]) -> dict[str, ResultFile]:
        sentences = [
            {
                "image_id": self.reader.image_id(index),
                "sentence": self.reader.grounded_caption(index).text,
                "phrases": [
                    {"phrase": phrase.name, "types": list(types)} | phrase.best.record()
                    for phrase, types in zip(phrases, self.reader.phrase_types(index), strict=True)
                ],
            }
            for index, phrases in enumerate(results)
        ]
        return {
            "flickr30k_recall.csv": recall_table(split_recall(results)),
            "flickr30k_predictions.json": json.dumps(sentences) + "\n",
        }


def split_recall(results: Sequence[tuple[FoundEntity, ...]]) -> dict[str, TypeRecall]:
    """Recall of a split's phrases by type."""
    return recall_by_type([phrase.judged for phrases in results for phrase in phrases if phrase.judged is not None])


def by_protocol(recall: TypeRecall) -> dict[str, dict[str, float]]:
    """Recall by the first part of its metrics' names."""
    return {ANY_BOX: recall.any_box, MERGED_BOX: recall.merged_box}


def recall_table(recall: dict[str, TypeRecall]) -> str:
    """Recall by protocol and type as CSV."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["protocol", "type", "phrases", *METRICS])
    for protocol in (ANY_BOX, MERGED_BOX):
        for kind, one in recall.items():
            values = (round(value, CSV_DECIMALS) for value in by_protocol(one)[protocol].values())
            writer.writerow([protocol, kind, one.num_phrases, *values])
    return table.getvalue()
