"""How far two sets of detections of one image agree. Axes: K detections."""

from dataclasses import dataclass

import torch

from fiber.detection.postprocessing import Detections

SAME_BOX = 0.1
"""Pixels between the sides of two boxes that count as one detection."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Detections paired by label and box."""

    num_paired: int
    num_unpaired: int
    """In either set."""
    box_difference: float
    """Largest of all pairs, pixels."""
    score_difference: float

    def __str__(self) -> str:
        return (
            f"{self.num_paired} detections alike, {self.num_unpaired} in one alone; largest difference "
            f"{self.box_difference:.1e} px, {self.score_difference:.1e} in score"
        )


def compare_detections(first: Detections, second: Detections) -> Agreement:
    """Pair every detection with the nearest box of its label in the other set."""
    if not len(first.labels) or not len(second.labels):
        return Agreement(0, len(first.labels) + len(second.labels), 0.0, 0.0)
    distance = (first.boxes[:, None] - second.boxes).abs().amax(dim=-1)  # K K
    distance = distance.masked_fill(first.labels[:, None] != second.labels, torch.inf)
    nearest, partner = distance.min(dim=1)
    mutual = distance.min(dim=0).indices[partner] == torch.arange(len(partner), device=partner.device)
    paired = (nearest < SAME_BOX) & mutual
    number = int(paired.sum())
    scores = (first.scores - second.scores[partner]).abs()[paired]
    return Agreement(
        number,
        len(first.labels) + len(second.labels) - 2 * number,
        float(nearest[paired].max()) if number else 0.0,
        float(scores.max()) if number else 0.0,
    )
