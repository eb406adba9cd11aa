"""Which anchors answer for which boxes: adaptive training sample selection (ATSS, Zhang et al. 2020).

Axes: A anchors, K boxes, N candidates of a box.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import box_iou

from fiber.detection.anchors import box_centres
from fiber.detection.inclusive_pixels import side_distances

NUM_NEAREST = 9
"""Anchors of each level that are candidates for a box."""
SMALLEST_DISTANCE = 0.01
"""Pixels between a positive anchor's centre and the sides of its box."""
NEGATIVE = -1


def assign_anchors(anchors: Tensor, level_lengths: Sequence[int], boxes: Tensor) -> Tensor:
    """Match anchors with boxes.

    The nearest anchors of each level are candidates; those that overlap the box more than its candidates do by mean and
    deviation, and whose centre lies inside it, are positive. One that is positive for several boxes goes to the one it
    overlaps most.

    Args:
        anchors: A 4, levels one after the other.
        level_lengths: anchors of each level.
        boxes: K 4, continuous xyxy.

    Returns:
        int64 A, the box of each anchor, -1 for negatives.
    """
    if len(boxes) == 0:
        return torch.full((len(anchors),), NEGATIVE, device=anchors.device)
    boxes = boxes.to(anchors.dtype)
    iou = box_iou(anchors, boxes)  # A K
    candidates = nearest_anchors(anchors, level_lengths, boxes)  # N K
    overlap = iou.gather(0, candidates)
    threshold = overlap.mean(dim=0) + overlap.std(dim=0)
    centres = box_centres(anchors)[candidates]  # N K 2
    inside = side_distances(centres, boxes.expand(*candidates.shape, 4)).amin(dim=-1) > SMALLEST_DISTANCE
    positive = (overlap >= threshold) & inside
    claims = torch.full_like(iou, -1.0).scatter(0, candidates, torch.where(positive, overlap, -1.0))
    best, box = claims.max(dim=1)
    return torch.where(best >= 0, box, NEGATIVE)


def nearest_anchors(anchors: Tensor, level_lengths: Sequence[int], boxes: Tensor) -> Tensor:
    """Indices of every level's anchors nearest to each box, by their centres: int64 N K."""
    distances = (box_centres(anchors)[:, None] - box_centres(boxes)).square().sum(dim=-1).sqrt()  # A K
    nearest, start = [], 0
    for level in torch.split(distances, list(level_lengths)):
        nearest.append(start + level.topk(min(NUM_NEAREST, len(level)), dim=0, largest=False).indices)
        start += len(level)
    return torch.cat(nearest)
