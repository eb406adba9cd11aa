"""The arithmetic of boxes that hold their last pixel, against the original's numbers and a literal reading."""

import pytest
import torch
from torch import Tensor

from fiber.detection.box_coder import decode_boxes
from fiber.detection.inclusive_pixels import clip_to_image, generalized_iou, last_pixels, side_distances

ANCHORS = torch.tensor([[-28.0, -28.0, 36.0, 36.0], [-20.0, -28.0, 44.0, 36.0]])
BOXES = torch.tensor([[-10.0, -5.0, 41.0, 51.0], [-20.0, -30.0, 31.0, 61.0]])
DELTAS = torch.tensor([[0.2, -0.1, 0.3, 0.4], [1.0, 2.0, -1.0, 0.5]])


def literal_generalized_iou(p: list[float], g: list[float]) -> float:
    """Two boxes as the original has them, x2 and y2 their last pixels."""
    p = [p[0], p[1], max(p[0], p[2]), max(p[1], p[3])]
    width, height = min(p[2], g[2]) - max(p[0], g[0]), min(p[3], g[3]) - max(p[1], g[1])
    inter = width * height if width > 0 and height > 0 else 0.0
    union = (p[2] - p[0]) * (p[3] - p[1]) + (g[2] - g[0]) * (g[3] - g[1]) - inter + 1e-7
    hull = (max(p[2], g[2]) - min(p[0], g[0])) * (max(p[3], g[3]) - min(p[1], g[1])) + 1e-7
    return inter / union - (hull - union) / hull


def test_generalized_iou_gives_the_published_sum() -> None:
    losses = 1 - generalized_iou(decode_boxes(DELTAS, ANCHORS), BOXES)
    assert losses.sum().item() == pytest.approx(1.233148, abs=2e-6)


def test_generalized_iou_equals_a_literal_reading() -> None:
    generator = torch.Generator().manual_seed(1)
    predicted, target = torch.rand(2, 200, 4, generator=generator, dtype=torch.float64) * 60  # half of them inside out
    target = torch.cat([target[:, :2], target[:, :2] + target[:, 2:] + 1], dim=1)
    expected = [
        literal_generalized_iou(p, g)
        for p, g in zip(last_pixels(predicted).tolist(), last_pixels(target).tolist(), strict=True)
    ]
    ours = generalized_iou(predicted, target)
    assert ours.tolist() == pytest.approx(expected, abs=1e-12)
    assert ours.min() < -0.5 < 0.2 < ours.max()


def test_a_perfect_prediction_has_the_largest_value_and_finite_gradients() -> None:
    predicted = BOXES.double().requires_grad_()
    value = generalized_iou(predicted, BOXES.double())
    assert value.tolist() == pytest.approx([1, 1], abs=1e-9)
    value.sum().backward()
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()


def test_side_distances_are_measured_to_the_last_pixel() -> None:
    centres = torch.tensor([[4.0, 4.0], [20.0, 4.0]])  # 3.5 and 19.5 in the original's terms
    boxes = torch.tensor([[1.0, 2.0, 11.0, 7.0]] * 2)  # [1, 2, 10, 6] there
    assert side_distances(centres, boxes).tolist() == [[2.5, 1.5, 6.5, 2.5], [18.5, 1.5, -9.5, 2.5]]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ([-5.0, -3.0, 300.0, 200.0], [0.0, 0.0, 250.0, 180.0]),
        ([10.5, 20.25, 30.0, 40.0], [10.5, 20.25, 30.0, 40.0]),
        ([-50.0, -40.0, -10.0, -20.0], [0.0, 0.0, 1.0, 1.0]),  # outside: the corner pixel remains
        ([260.0, 190.0, 280.0, 210.0], [249.0, 179.0, 250.0, 180.0]),
    ],
)
def test_clipping_keeps_boxes_inside_and_at_least_a_pixel(box: list[float], expected: list[float]) -> None:
    assert clip_to_image(torch.tensor([box]), (180, 250)).tolist() == [expected]


def test_last_pixels_of_any_number_of_boxes() -> None:
    boxes: Tensor = torch.zeros(2, 3, 4)
    assert last_pixels(boxes)[1, 2].tolist() == [0, 0, -1, -1]
