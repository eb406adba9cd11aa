"""Boxes of one label, to judge and to write down.

Axes: K boxes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from fiber.data.grounding_batch import Truth
from fiber.detection.postprocessing import Detections
from fiber.evaluation.detection_ap import BOX_DECIMALS, SCORE_DECIMALS

NUM_WRITTEN = 10
"""Boxes of a label in a result file, as many as the last rank that is judged."""


class WrittenBoxes(NamedTuple):
    """The best boxes of a label as a result file has them."""

    boxes: tuple[tuple[float, ...], ...]
    """Best first, continuous xyxy in pixels of the original image."""
    scores: tuple[float, ...]

    @classmethod
    def best(cls, found: Detections) -> Self:
        """The first of boxes that are ordered."""
        return cls(
            tuple(tuple(round(edge, BOX_DECIMALS) for edge in box) for box in found.boxes[:NUM_WRITTEN].tolist()),
            tuple(round(score, SCORE_DECIMALS) for score in found.scores[:NUM_WRITTEN].tolist()),
        )

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {"boxes": [list(box) for box in self.boxes], "scores": list(self.scores)}


def found_for(found: Detections, label: int) -> Detections:
    """Detections of one label, best first; of equal scores the earlier one comes first."""
    own = Detections(*(part[found.labels == label] for part in found))
    order = own.scores.argsort(descending=True, stable=True)
    return Detections(*(part[order] for part in own))


def true_boxes(truths: Sequence[Truth], label: int) -> Tensor:
    """Boxes of one label in pixels of the original image, float32 K 4."""
    boxes = [truth.box for truth in truths if truth.label == label]
    return torch.tensor(boxes, dtype=torch.float32).view(-1, 4)
