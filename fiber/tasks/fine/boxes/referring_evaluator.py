"""Judging the referring expressions of a split."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from fiber.data.grounding_batch import Truth
from fiber.data.readers.task_readers import ReferringReader
from fiber.evaluation.detection_ap import SCORE_DECIMALS
from fiber.evaluation.referring import JudgedExpression, judge_expression, mean_precision
from fiber.tasks.fine.boxes.asking import ImageResult, PhraseAsker
from fiber.tasks.fine.boxes.box_evaluator import BoxEvaluator
from fiber.tasks.fine.boxes.found_boxes import WrittenBoxes, found_for, true_boxes
from fiber.tasks.split_evaluator import ResultFile

EXPRESSION = 0
"""Label of the only phrase."""


class FoundObject(NamedTuple):
    """What was found for one expression."""

    best: WrittenBoxes
    judged: JudgedExpression


class ReferringEvaluator(BoxEvaluator[FoundObject]):
    """Finds the object that an expression means.

    Metrics: `refcoco/precision_1_iou`, `_5_iou`, `_10_iou`, by the name of the data set: the share of expressions of
    which one of the best boxes overlaps the object by an IoU of 0.5 or more; `refcoco/precision_1_giou` and so on: the
    same by generalised IoU. Nothing found is a miss. Of boxes of one score the one found first comes first; the
    original took the one with the larger coordinates.

    Files: `referring_results.json`, per expression the best ten boxes (xyxy in pixels), scores and the IoU of the best.

    Args:
        reader: the split.
        asker: asks for the expressions.
        num_samples: the first so many expressions are judged.
    """

    def __init__(self, reader: ReferringReader, *, asker: PhraseAsker, num_samples: int) -> None:
        super().__init__(reader.name, asker=asker, num_samples=num_samples, max_drawn=1)
        self.reader = reader
        self.monitored = f"{reader.dataset}/precision_1_iou"

    def judge_image(self, found: ImageResult, truths: Sequence[Truth]) -> FoundObject:
        own, truth = found_for(found.detections, EXPRESSION), true_boxes(truths, EXPRESSION)
        assert len(truths) == len(truth) == 1, "an expression means one object"
        return FoundObject(WrittenBoxes.best(own), judge_expression(own.boxes, truth))

    def summarize(self, results: Sequence[FoundObject]) -> dict[str, float]:
        precision = mean_precision([one.judged for one in results])
        return {f"{self.reader.dataset}/{name}": value for name, value in precision.items()}

    def result_files(self, results: Sequence[FoundObject]) -> dict[str, ResultFile]:
        expressions = [
            {"image_id": self.reader.image_id(index), "expression": self.reader.grounded_caption(index).text}
            | one.best.record()
            | {"iou": round(one.judged.best_iou, SCORE_DECIMALS)}
            for index, one in enumerate(results)
        ]
        return {"referring_results.json": json.dumps(expressions) + "\n"}
