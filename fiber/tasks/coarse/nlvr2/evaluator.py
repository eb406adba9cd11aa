"""Judging the statements of a split."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import nn

from fiber.data.normalization import normalize_pixels
from fiber.data.statement_batch import StatementBatch
from fiber.evaluation.nlvr2 import accuracy, consistency, names_sentence, predictions_file
from fiber.tasks.coarse.sheet_evaluator import SheetEvaluator
from fiber.tasks.coarse.sheets import SheetLine, SheetRow
from fiber.tasks.split_evaluator import ResultFile


class StatementResult(NamedTuple):
    """What was said of one statement."""

    identifier: str
    is_true: bool
    prediction: bool


class Nlvr2Evaluator(SheetEvaluator[StatementBatch, StatementResult]):
    """Accuracy, and consistency where identifiers tell which statements are one sentence, as NLVR2's do.

    The results file is NLVR2's.
    """

    monitored = "nlvr2/accuracy"

    def judge(self, model: nn.Module, batch: StatementBatch) -> Mapping[int, StatementResult]:
        logits = model(normalize_pixels(batch.image), batch.text_ids, batch.text_mask)  # B 2
        judged = zip(batch.sample.tolist(), batch.statements, logits.argmax(dim=1).tolist(), strict=True)
        return {
            sample: StatementResult(statement.identifier, statement.is_true, bool(prediction))
            for sample, statement, prediction in judged
        }

    def summarize(self, results: Sequence[StatementResult]) -> dict[str, float]:
        truths = {result.identifier: result.is_true for result in results}
        predictions = {result.identifier: result.prediction for result in results}
        metrics = {"nlvr2/accuracy": accuracy(truths, predictions)}
        if all(map(names_sentence, truths)):
            metrics["nlvr2/consistency"] = consistency(truths, predictions)
        return metrics

    def result_files(self, results: Sequence[StatementResult]) -> dict[str, ResultFile]:
        return {"predictions.csv": predictions_file({result.identifier: result.prediction for result in results})}

    def draw(self, batch: StatementBatch, results: Sequence[StatementResult]) -> list[SheetRow]:
        judged = zip(batch.image, batch.statements, results, strict=False)
        return [
            SheetRow(
                tuple(images),
                (
                    SheetLine(statement.text),
                    SheetLine(f"judged {str(result.prediction).lower()}", result.prediction == result.is_true),
                ),
            )
            for images, statement, result in judged
        ]
