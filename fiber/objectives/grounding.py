"""Losses of the grounded detector (paper section 3.3): words, boxes, centerness.

Axes: B images, A anchors, L text tokens, K boxes of an image, P positive anchors of the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from fiber.detection.anchors import box_centres, make_anchors
from fiber.detection.assignment import NEGATIVE, assign_anchors
from fiber.detection.box_coder import decode_boxes
from fiber.detection.inclusive_pixels import generalized_iou, side_distances
from fiber.models.detector_config import DetectorConfig
from fiber.models.grounding_head import DetectorOutput
from fiber.utils.distributed import mean_over_processes


@dataclass(frozen=True, kw_only=True)
class GroundingCriterionConfig:
    """Weights of the losses; defaults: the paper's."""

    token_weight: float = 1.0
    box_weight: float = 2.0
    centerness_weight: float = 1.0
    focal_alpha: float = 0.25
    focal_gamma: float = 2.0


class ImageTargets(NamedTuple):
    """What is to be found in one image."""

    boxes: Tensor
    """float K 4, continuous xyxy in pixels of the network's input; K may be 0."""
    positive_map: Tensor
    """bool K L, tokens that name each box."""


class GroundingLosses(NamedTuple):
    """Weighted losses of a batch."""

    token: Tensor
    box: Tensor
    centerness: Tensor

    def total(self) -> Tensor:
        return self.token + self.box + self.centerness


class AnchorTargets(NamedTuple):
    """Targets of the positive anchors of a batch."""

    image: Tensor
    """int64 P."""
    anchor: Tensor
    """int64 P."""
    boxes: Tensor
    """float P 4."""
    positive_map: Tensor
    """bool P L."""


class GroundingCriterion:
    """Token focal loss, generalised IoU weighted by centerness, and centerness.

    All are divided by the number of positive anchors, averaged over processes, so that the number of processes does not
    change the result.
    """

    def __init__(self, detector: DetectorConfig, config: GroundingCriterionConfig | None = None) -> None:
        self.detector = detector
        self.config = config or GroundingCriterionConfig()

    def __call__(self, output: DetectorOutput, targets: Sequence[ImageTargets]) -> GroundingLosses:
        """
        Args:
            output: predictions for B images.
            targets: one per image; images without boxes train on negatives alone.
        """
        with torch.autocast(output.deltas.device.type, enabled=False):
            anchors = self.anchors(output)
            matched = assign_targets(anchors, output.level_sizes, targets)
            number = mean_over_processes(output.deltas.new_tensor(float(len(matched.image)))).clamp(min=1)
            centres = box_centres(anchors)[matched.anchor]  # P 2
            centrality = centerness_targets(centres, matched.boxes).to(output.deltas.dtype)
            return GroundingLosses(
                self.config.token_weight * self.token_loss(output, matched) / number,
                self.config.box_weight * self.box_loss(output, matched, anchors, centrality),
                self.config.centerness_weight * self.centerness_loss(output, matched, centrality) / number,
            )

    def anchors(self, output: DetectorOutput) -> Tensor:
        """float32 A 4."""
        return make_anchors(
            output.level_sizes, self.detector.strides, scale=self.detector.anchor_scale, device=output.deltas.device
        )

    def token_loss(self, output: DetectorOutput, matched: AnchorTargets) -> Tensor:
        """Focal loss of every anchor with every real token, summed; a negative anchor shows no token.

        In a text that fills the budget the last token stands for "no object" and is every negative anchor's target.
        """
        logits = output.token_logits
        wanted = torch.zeros_like(logits)
        if logits.shape[-1] == self.detector.text_budget:
            wanted[..., -1] = 1
        wanted[matched.image, matched.anchor] = matched.positive_map.to(logits.dtype)
        loss = sigmoid_focal_loss(logits, wanted, alpha=self.config.focal_alpha, gamma=self.config.focal_gamma)
        total: Tensor = (loss * output.text_mask[:, None]).sum()
        return total

    def box_loss(self, output: DetectorOutput, matched: AnchorTargets, anchors: Tensor, centrality: Tensor) -> Tensor:
        """1 - GIoU of the positive anchors, a mean weighted by centerness."""
        deltas = output.deltas[matched.image, matched.anchor]
        boxes = decode_boxes(deltas, anchors[matched.anchor].to(deltas.dtype))
        losses = 1 - generalized_iou(boxes, matched.boxes.to(deltas.dtype))
        weight = mean_over_processes(centrality.sum())
        # Without a positive anchor anywhere the sum is 0, and its gradient too.
        return (losses * centrality).sum() / torch.where(weight > 0, weight, 1.0)

    def centerness_loss(self, output: DetectorOutput, matched: AnchorTargets, centrality: Tensor) -> Tensor:
        """Binary cross-entropy of the positive anchors, summed."""
        logits = output.centerness[matched.image, matched.anchor]
        return F.binary_cross_entropy_with_logits(logits, centrality, reduction="sum")


def assign_targets(
    anchors: Tensor, level_sizes: Sequence[tuple[int, int]], targets: Sequence[ImageTargets]
) -> AnchorTargets:
    """Positive anchors of all images, in order. Only their number is read back from the device, once per batch."""
    lengths = [height * width for height, width in level_sizes]
    matched = torch.stack([assign_anchors(anchors, lengths, target.boxes) for target in targets])  # B A
    image, anchor = (matched != NEGATIVE).nonzero(as_tuple=True)
    counts = [len(target.boxes) for target in targets]
    first = torch.tensor([sum(counts[:index]) for index in range(len(counts))], device=matched.device)  # of each image
    box = first[image] + matched[image, anchor]
    boxes, maps = (torch.cat(field) for field in zip(*targets, strict=True))
    return AnchorTargets(image, anchor, boxes[box], maps[box])


def centerness_targets(centres: Tensor, boxes: Tensor) -> Tensor:
    """How central each centre lies in its box, 1 in the middle, 0 at the sides (FCOS); P 2, P 4 -> P."""
    left, top, right, bottom = side_distances(centres, boxes).unbind(dim=-1)
    horizontal = torch.minimum(left, right) / torch.maximum(left, right)
    vertical = torch.minimum(top, bottom) / torch.maximum(top, bottom)
    return (horizontal * vertical).sqrt()
