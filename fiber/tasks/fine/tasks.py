"""Tasks of the fine stage: all train the same detector and differ in what they read and which boxes count."""

from abc import ABCMeta
from collections.abc import Mapping
from typing import NamedTuple

from fiber.data.readers.task_readers import BoxReader, DetectionReader, EntitiesReader, FederatedReader, ReferringReader
from fiber.tasks.fine.boxes.options import BoxEvaluationConfig


class FineTask(NamedTuple):
    """One task."""

    reader_kind: ABCMeta
    """Of `BoxReader`."""
    wanted: str
    """What it reads, in words for messages."""
    options: BoxEvaluationConfig = BoxEvaluationConfig()
    """Which boxes count, as published."""
    benchmark: str | None = None
    """What `ReferringReader.dataset` must be."""


def referring(benchmark: str) -> FineTask:
    """A task of referring expressions."""
    return FineTask(
        ReferringReader,
        "referring expressions",
        # The only phrase has a box whatever its score, so that there is always a best one.
        BoxEvaluationConfig(score_threshold=0.0, max_candidates=3000),
        benchmark,
    )


FINE_TASKS: Mapping[str, FineTask] = {
    "coco": FineTask(DetectionReader, "objects"),
    "custom": FineTask(BoxReader, "boxes"),
    "flickr30k": FineTask(EntitiesReader, "phrases of annotated types"),
    "lvis": FineTask(
        FederatedReader,
        "objects of classes with frequencies",
        BoxEvaluationConfig(max_detections=300, classes_per_prompt=40),
    ),
    "odinw": FineTask(DetectionReader, "objects"),
    "refcoco": referring("refcoco"),
    "refcoco+": referring("refcoco+"),
    "refcocog": referring("refcocog"),
}
"""By the name that `task=` takes."""
PRETRAINING = FineTask(BoxReader, "boxes")
