"""From a detector's raw output to labelled boxes.

Axes: B images, A anchors, L text tokens, Y labels, K detections.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torchvision.ops import nms

from fiber.detection.anchors import make_anchors
from fiber.detection.box_coder import decode_boxes
from fiber.detection.inclusive_pixels import clip_to_image
from fiber.models.detector_config import DetectorConfig
from fiber.models.grounding_head import DetectorOutput
from fiber.utils.errors import UserError

TokenPositions = Sequence[Sequence[int]]
"""For every label the text positions that name it; none = the label cannot be found."""


@dataclass(frozen=True, kw_only=True)
class PostProcessingConfig:
    """Limits on what counts as a detection. Defaults: the paper's for detection and phrase grounding."""

    score_threshold: float = 0.05
    """Of a label's probability, before centerness, in [0, 1)."""
    max_candidates: int = 1000
    """Best pairs of anchor and label of each level that are decoded."""
    nms_threshold: float = 0.6
    """IoU above which the weaker of two boxes of one label goes, in (0, 1]."""
    max_detections: int = 100
    """Per image and prompt."""

    def __post_init__(self) -> None:
        if not 0 <= self.score_threshold < 1:
            raise UserError(f"score_threshold={self.score_threshold}: give a probability in [0, 1).")
        if not 0 < self.nms_threshold <= 1:
            raise UserError(f"nms_threshold={self.nms_threshold}: give an IoU in (0, 1].")
        for name in ("max_candidates", "max_detections"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)}: give 1 or more.")


class Detections(NamedTuple):
    """What was found in one image, best first."""

    boxes: Tensor
    """float32 K 4, continuous xyxy in pixels."""
    scores: Tensor
    """float32 K in (0, 1): square root of label probability times centerness."""
    labels: Tensor
    """int64 K, place in the prompt's labels."""

    def scaled(self, x_scale: float, y_scale: float) -> Self:
        """Boxes in the pixels of an image of another size."""
        return self._replace(boxes=self.boxes * self.boxes.new_tensor([x_scale, y_scale, x_scale, y_scale]))

    def first(self, number: int) -> Self:
        """The best ones."""
        return type(self)(*(part[:number] for part in self))

    def to(self, device: torch.device | str) -> Self:
        return type(self)(*(part.to(device) for part in self))


class GroundingPostProcessor:
    """Token probabilities to labels, thresholds, suppression per label, limits."""

    def __init__(self, detector: DetectorConfig, config: PostProcessingConfig | None = None) -> None:
        self.detector = detector
        self.config = config or PostProcessingConfig()

    def __call__(
        self, output: DetectorOutput, sizes: Sequence[tuple[int, int]], positions: Sequence[TokenPositions]
    ) -> list[Detections]:
        """
        Args:
            output: predictions for B images.
            sizes: height and width of each image without padding, in pixels.
            positions: where the labels of each image's text stand in it.

        Returns:
            Detections of each image, in pixels of the network's input.
        """
        anchors = make_anchors(
            output.level_sizes, self.detector.strides, scale=self.detector.anchor_scale, device=output.deltas.device
        )
        return [
            self.detect_in_image(output, index, anchors, size, labels)
            for index, (size, labels) in enumerate(zip(sizes, positions, strict=True))
        ]

    def detect_in_image(
        self, output: DetectorOutput, index: int, anchors: Tensor, size: tuple[int, int], labels: TokenPositions
    ) -> Detections:
        """Detections of one image of the batch."""
        lengths = [height * width for height, width in output.level_sizes]
        probability = label_probabilities(output.token_logits[index].float(), labels)  # A Y
        score = probability * output.centerness[index].float().sigmoid()[:, None]
        score = score.masked_fill(probability <= self.config.score_threshold, -1.0)
        candidates = [
            self.best_of_level(level, start=start)
            for level, start in zip(torch.split(score, lengths), starts(lengths), strict=True)
        ]
        anchor, label = (torch.cat(part) for part in zip(*candidates, strict=True))
        boxes = decode_boxes(output.deltas[index, anchor].float(), anchors[anchor])
        boxes, scores = clip_to_image(boxes, size), score[anchor, label].sqrt()
        kept = self.suppress(boxes, scores, label)
        return Detections(boxes[kept], scores[kept], label[kept])

    def best_of_level(self, score: Tensor, *, start: int) -> tuple[Tensor, Tensor]:
        """Anchors and labels of a level's best pairs above the threshold.

        Args:
            score: anchors of the level by Y, -1 below the threshold.
            start: number of the level's first anchor.
        """
        flat = score.flatten()
        best = flat.topk(min(self.config.max_candidates, len(flat)))
        pairs = best.indices[best.values >= 0]
        num_labels = max(1, score.shape[1])
        return start + pairs // num_labels, pairs % num_labels

    def suppress(self, boxes: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        """Candidates that survive suppression among boxes of their label, best first, up to the limit.

        Those that tie with the last one within the limit stay as well.
        """
        if len(boxes) == 0:
            return labels
        # Labels are moved apart, so that one call suppresses within each; double keeps the boxes' differences exact.
        apart = boxes.double() + (labels.double() * (boxes.double().max() + 1))[:, None]
        kept: Tensor = nms(apart, scores.double(), self.config.nms_threshold)  # by falling score
        if len(kept) > self.config.max_detections:
            kept = kept[scores[kept] >= scores[kept[self.config.max_detections - 1]]]
        return kept


def label_probabilities(token_logits: Tensor, labels: TokenPositions) -> Tensor:
    """Mean probability of each label's tokens, A L -> A Y."""
    shares = token_logits.new_zeros(token_logits.shape[-1], len(labels))
    for label, tokens in enumerate(labels):
        if tokens:
            shares[list(tokens), label] = 1 / len(tokens)
    with torch.autocast(token_logits.device.type, enabled=False):  # half precision would tie scores and disorder them
        return token_logits.sigmoid() @ shares


def starts(lengths: Sequence[int]) -> list[int]:
    """First number of each part."""
    return [sum(lengths[:index]) for index in range(len(lengths))]
