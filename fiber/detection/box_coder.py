"""Boxes relative to anchors (Faster R-CNN's parametrisation). Axes: K boxes with an anchor each."""

import math

import torch
from torch import Tensor

from fiber.detection.anchors import box_centres

CENTRE_WEIGHT = 10.0
SIZE_WEIGHT = 5.0
LARGEST_LOG_RATIO = math.log(1000 / 16)
"""Of a decoded side to the anchor's, so that no prediction overflows."""


def encode_boxes(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Shift of the centre in anchor sides and log ratio of the sides, weighted; K 4, K 4 -> K 4."""
    sides = anchors[:, 2:] - anchors[:, :2]
    shift = (box_centres(boxes) - box_centres(anchors)) / sides
    ratio = ((boxes[:, 2:] - boxes[:, :2]) / sides).log()
    return torch.cat([CENTRE_WEIGHT * shift, SIZE_WEIGHT * ratio], dim=1)


def decode_boxes(deltas: Tensor, anchors: Tensor) -> Tensor:
    """Continuous boxes from their encoding; K 4, K 4 -> K 4."""
    sides = anchors[:, 2:] - anchors[:, :2]
    centres = deltas[:, :2] / CENTRE_WEIGHT * sides + box_centres(anchors)
    half = (deltas[:, 2:] / SIZE_WEIGHT).clamp(max=LARGEST_LOG_RATIO).exp() * sides / 2
    return torch.cat([centres - half, centres + half], dim=1)
