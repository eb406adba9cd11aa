"""Judging the answers to the questions of a split."""

import json
import re
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.normalization import normalize_pixels
from fiber.data.question_batch import QuestionBatch
from fiber.data.readers.task_readers import QuestionReader
from fiber.evaluation.vqa import JudgedAnswer, judge_answer, summarize_accuracy
from fiber.tasks.coarse.sheet_evaluator import SheetEvaluator
from fiber.tasks.coarse.sheets import SheetLine, SheetRow
from fiber.tasks.split_evaluator import ResultFile

RIGHT = 0.5
"""Score from which an answer is drawn as right."""


class VqaEvaluator(SheetEvaluator[QuestionBatch, JudgedAnswer]):
    """Answers every question by the best of the vocabulary.

    Metrics: `vqa/accuracy` and, by type of answer, `vqa/accuracy_yes_no`, `_number` and `_other`, in [0, 1]: VQA's
    official accuracy where the annotators' answers are known, else the soft label of the answer chosen. Of a split
    whose answers are secret only `vqa/questions`, their number.

    Files: `vqa_submit.json` in the format of the evaluation server; `vqa_accuracy.json` with percentages by type of
    question and answer as the official evaluator writes them.

    Args:
        reader: the split.
        vocabulary: the answers to choose from.
    """

    monitored = "vqa/accuracy"

    def __init__(self, reader: QuestionReader, *, vocabulary: AnswerVocabulary) -> None:
        super().__init__(reader.name, num_samples=len(reader))
        self.reader = reader
        self.vocabulary = vocabulary

    @property
    def is_scored(self) -> bool:
        """Whether right answers are known."""
        return judge_answer(self.reader.question(0), "").score is not None

    def judge(self, model: nn.Module, batch: QuestionBatch) -> Mapping[int, JudgedAnswer]:
        logits: Tensor = model(normalize_pixels(batch.image), batch.text_ids, batch.text_mask)  # B A
        return {
            sample: judge_answer(self.reader.question(sample), self.vocabulary.answers[label])
            for sample, label in zip(batch.sample.tolist(), logits.argmax(dim=1).tolist(), strict=True)
        }

    def summarize(self, results: Sequence[JudgedAnswer]) -> dict[str, float]:
        if not are_scored(results):
            return {"vqa/questions": float(len(results))}
        accuracy = summarize_accuracy(results)
        by_type = {f"vqa/accuracy_{slug(name)}": value for name, value in accuracy.by_answer_type.items()}
        return {"vqa/accuracy": accuracy.overall} | by_type

    def result_files(self, results: Sequence[JudgedAnswer]) -> dict[str, ResultFile]:
        rows = [{"question_id": one.question_id, "answer": one.answer} for one in results]
        files: dict[str, ResultFile] = {"vqa_submit.json": json.dumps(rows) + "\n"}
        if are_scored(results):
            files["vqa_accuracy.json"] = json.dumps(summarize_accuracy(results).official(), indent=2) + "\n"
        return files

    def draw(self, batch: QuestionBatch, results: Sequence[JudgedAnswer]) -> list[SheetRow]:
        rows = []
        for image, sample, result in zip(batch.image, batch.sample.tolist(), results, strict=False):
            asked = self.reader.question(sample)
            verdict = None if result.score is None else result.score >= RIGHT
            lines = [SheetLine(asked.text), SheetLine(f"answered: {result.answer}", verdict)]
            if verdict is False:
                lines.append(SheetLine(f"annotated: {asked.common_answer}"))
            rows.append(SheetRow((image,), tuple(lines)))
        return rows


def are_scored(results: Sequence[JudgedAnswer]) -> bool:
    """Whether right answers are known, of one question at least."""
    return any(one.score is not None for one in results)


def slug(name: str) -> str:
    """A type as the end of a metric's name: `yes_no`."""
    return re.sub(r"\W+", "_", name)
