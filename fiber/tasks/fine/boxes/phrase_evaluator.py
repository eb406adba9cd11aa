"""Judging the phrases of a split's captions."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from fiber.data.grounding_batch import Truth
from fiber.data.readers.task_readers import GroundingReader
from fiber.evaluation.grounding_recall import Hits, find_phrase, mean_hits
from fiber.tasks.fine.boxes.asking import ImageResult, PhraseAsker
from fiber.tasks.fine.boxes.box_evaluator import BoxEvaluator
from fiber.tasks.fine.boxes.found_boxes import WrittenBoxes, found_for, true_boxes
from fiber.tasks.split_evaluator import ResultFile


class FoundPhrase(NamedTuple):
    """One phrase of a caption."""

    name: str
    best: WrittenBoxes
    hits: Hits | None
    """None where the phrase has no true box, and is not judged."""


class PhraseEvaluator(BoxEvaluator[tuple[FoundPhrase, ...]]):
    """Finds what every phrase of a caption names.

    Metrics: `grounding/recall_1`, `_5`, `_10`: the share of phrases of which one of the best boxes overlaps any of the
    true ones by an IoU of 0.5 or more; `grounding/upper_bound`: the same by all boxes that were found. 0 where no
    phrase has a box.

    Files: `phrases.json`, per caption its phrases with their best ten boxes (xyxy in pixels) and scores.

    Args:
        reader: the split.
        asker: asks for the captions' phrases.
        num_samples: the first so many captions are judged.
    """

    monitored = "grounding/recall_1"

    def __init__(self, reader: GroundingReader, *, asker: PhraseAsker, num_samples: int) -> None:
        super().__init__(reader.name, asker=asker, num_samples=num_samples)
        self.reader = reader

    def judge_image(self, found: ImageResult, truths: Sequence[Truth]) -> tuple[FoundPhrase, ...]:
        phrases = []
        for label, name in enumerate(found.names):
            own, truth = found_for(found.detections, label), true_boxes(truths, label)
            hits = find_phrase(own.boxes, truth) if len(truth) else None
            phrases.append(FoundPhrase(name, WrittenBoxes.best(own), hits))
        return tuple(phrases)

    def summarize(self, results: Sequence[tuple[FoundPhrase, ...]]) -> dict[str, float]:
        hits = [phrase.hits for phrases in results for phrase in phrases if phrase.hits is not None]
        return {f"grounding/{name}": value for name, value in mean_hits(hits).items()}

    def result_files(self, results: Sequence[tuple[FoundPhrase, ...]]) -> dict[str, ResultFile]:
        captions = [
            {
                "image_id": self.reader.image_id(index),
                "caption": self.reader.grounded_caption(index).text,
                "phrases": [{"phrase": phrase.name} | phrase.best.record() for phrase in phrases],
            }
            for index, phrases in enumerate(results)
        ]
        return {"phrases.json": json.dumps(captions) + "\n"}
