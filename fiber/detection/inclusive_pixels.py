"""The original's box arithmetic, in which a box holds its last pixel (width = x2 - x1 + 1).

Everywhere else boxes are continuous, (x1, y1, x2 + 1, y2 + 1) in those terms. Widths, areas, IoU (and with it
suppression), centres apart from each other, encoded and decoded boxes are then the same in plain arithmetic. What
remains different is here: the distances of a cell to the sides of a box, generalised IoU, and clipping. The released
weights were trained and scored with them.

Axes: K boxes, A anchors.
"""

import torch
from torch import Tensor

EPSILON = 1e-7


def last_pixels(boxes: Tensor) -> Tensor:
    """Continuous boxes in the original's terms, ... 4 -> ... 4."""
    return boxes - boxes.new_tensor([0.0, 0.0, 1.0, 1.0])


def side_distances(centres: Tensor, boxes: Tensor) -> Tensor:
    """Distances of continuous centres to the left, top, right and bottom of boxes; negative outside.

    Args:
        centres: ... 2, x and y.
        boxes: ... 4, continuous xyxy.

    Returns:
        ... 4 in pixels, each half a pixel less than plain arithmetic gives.
    """
    return torch.cat([centres - boxes[..., :2], boxes[..., 2:] - centres], dim=-1) - 0.5


def generalized_iou(predicted: Tensor, target: Tensor) -> Tensor:
    """Generalised IoU (Rezatofighi et al. 2019) of pairs of continuous boxes, without the last pixel.

    Args:
        predicted: K 4; a side of negative length counts as 0.
        target: K 4.

    Returns:
        K in [-1, 1].
    """
    predicted, target = last_pixels(predicted), last_pixels(target)
    predicted = torch.cat([predicted[:, :2], torch.maximum(predicted[:, :2], predicted[:, 2:])], dim=1)
    inner = torch.minimum(predicted[:, 2:], target[:, 2:]) - torch.maximum(predicted[:, :2], target[:, :2])
    outer = torch.maximum(predicted[:, 2:], target[:, 2:]) - torch.minimum(predicted[:, :2], target[:, :2])
    intersection = torch.where((inner > 0).all(dim=1), inner.prod(dim=1), 0.0)
    union = area(predicted) + area(target) - intersection + EPSILON
    enclosing = outer.prod(dim=1) + EPSILON
    return intersection / union - (enclosing - union) / enclosing


def area(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)


def clip_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Continuous boxes inside an image, at least one pixel of them, K 4 -> K 4.

    Args:
        boxes: K 4.
        size: height and width in pixels.
    """
    last = boxes.new_tensor([size[1] - 1, size[0] - 1, size[1] - 1, size[0] - 1])
    clipped = last_pixels(boxes).clamp(min=0).minimum(last)
    return clipped + boxes.new_tensor([0.0, 0.0, 1.0, 1.0])
