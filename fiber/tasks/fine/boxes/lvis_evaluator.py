"""Judging a split of LVIS, by its standard and by its fixed average precision."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import nn

from fiber.data.grounding_batch import EvaluationBatch
from fiber.data.readers.task_readers import FederatedReader
from fiber.evaluation.lvis import DETECTIONS_PER_CLASS, DETECTIONS_PER_IMAGE, evaluate_lvis
from fiber.evaluation.lvis_boxes import BestPerClass, ScoredBoxes, best_per_class, best_per_image, join
from fiber.evaluation.lvis_truth import GroundTruth
from fiber.tasks.fine.boxes.asking import ClassAsker, ImageResult
from fiber.tasks.fine.boxes.lvis_results import class_table, official_results
from fiber.tasks.fine.boxes.pictures import PictureGrid
from fiber.tasks.split_evaluator import EvaluationResult, Evaluator, ResultFile
from fiber.utils.distributed import gather_at_first, gather_objects
from fiber.utils.errors import UserError

RESULT_FILE = "lvis_results.json"
CLASS_FILE = "average_precision_by_class.csv"


class Judged(NamedTuple):
    """What one process found."""

    images: list[int]
    """Places in the reader."""
    standard: ScoredBoxes
    """The best of every image."""
    fixed: ScoredBoxes
    """The best of every class."""


class LvisEvaluator(Evaluator):
    """Keeps the best detections of every image and of every class, and judges them in the end on the first process.

    Args:
        reader: the images.
        asker: for the reader's classes, in their order.
        num_samples: of the split, the first of the reader.
    """

    monitored = "lvis_fixed/AP"

    def __init__(self, reader: FederatedReader, *, asker: ClassAsker, num_samples: int) -> None:
        self.reader = reader
        self.asker = asker
        self.num_samples = num_samples
        self.grid = PictureGrid()
        self.begin()

    def begin(self) -> None:
        """Forget everything that was found."""
        self.images: list[int] = []
        self.standard: list[ScoredBoxes] = []
        self.fixed = BestPerClass(len(self.reader.classes), limit=DETECTIONS_PER_CLASS)

    @torch.no_grad()
    def add(self, model: nn.Module, batch: EvaluationBatch, *, number: int) -> None:
        results = self.asker.ask(model, batch)
        if not self.images:
            self.grid.begin()
        self.grid.keep(batch, results)
        for result in results:
            found = scored_boxes(result)
            self.images.append(result.image_index)
            self.standard.append(best_per_image(found, DETECTIONS_PER_IMAGE))
            self.fixed.add(found)

    def finish(self, *, files: bool = True) -> EvaluationResult:
        self.asker.forget()
        judged = Judged(self.images, join(self.standard), self.fixed.best())
        self.begin()
        everyone = [image for part in gather_objects(judged.images) for image in part]
        if not everyone:
            raise UserError(f"{self.reader.name}: nothing was evaluated.")
        assert sorted(everyone) == list(range(self.num_samples)), "an image was missed or judged twice"
        parts = gather_at_first(judged)
        result = EvaluationResult({}, {}) if parts is None else self.evaluate(parts, files=files)
        return result._replace(metrics=gather_objects(result.metrics)[0])

    def evaluate(self, parts: Sequence[Judged], *, files: bool) -> EvaluationResult:
        """Sum up what all processes found."""
        truth = GroundTruth.read(self.reader, self.num_samples)
        # Image by image, so that the file does not depend on how processes shared them either.
        standard = best_per_image(join([part.standard for part in parts]), DETECTIONS_PER_IMAGE)
        fixed = evaluate_lvis(truth, best_per_class(join([part.fixed for part in parts]), DETECTIONS_PER_CLASS))
        metrics = {f"lvis/{name}": value for name, value in evaluate_lvis(truth, standard).metrics.items()}
        metrics |= {f"lvis_fixed/{name}": value for name, value in fixed.metrics.items()}
        if not files:
            return EvaluationResult(metrics, {})
        content: dict[str, ResultFile] = {
            RESULT_FILE: official_results(self.reader, standard),
            CLASS_FILE: class_table(self.reader, fixed.class_precision),
        }
        return EvaluationResult(metrics, content)

    def picture(self) -> Image.Image | None:
        return self.grid.draw()


def scored_boxes(result: ImageResult) -> ScoredBoxes:
    """Detections of one image as arrays."""
    found = result.detections
    image = np.full(len(found.scores), result.image_index, dtype=np.int32)
    return ScoredBoxes(image, found.labels.numpy().astype(np.int32), found.boxes.numpy(), found.scores.numpy())
