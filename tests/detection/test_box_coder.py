"""Encoded boxes against the original's numbers; its boxes hold their last pixel."""

import math

import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou

from fiber.detection.box_coder import decode_boxes, encode_boxes
from fiber.detection.inclusive_pixels import last_pixels


@pytest.fixture
def anchor() -> Tensor:
    """Of the first cell of stride 8, [-28, -28, 35, 35] with its last pixel."""
    return torch.tensor([[-28.0, -28.0, 36.0, 36.0]])


def test_encoding_and_overlap_give_the_published_numbers(anchor: Tensor) -> None:
    box = torch.tensor([[10.0, 20.0, 61.0, 101.0]])
    expected = [4.921875, 8.828125, -1.135287, 1.177830]
    assert encode_boxes(box, anchor)[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert box_iou(anchor, box).item() == pytest.approx(0.0532582, abs=1e-7)


def test_decoding_gives_the_published_numbers(anchor: Tensor) -> None:
    decoded = last_pixels(decode_boxes(torch.tensor([[0.5, -0.3, 1.0, -2.0]]), anchor))
    assert decoded[0].tolist() == pytest.approx([-31.884888, -19.370241, 45.284889, 22.530241], abs=1e-5)


def test_a_huge_size_is_cut_to_a_multiple_of_the_anchor(anchor: Tensor) -> None:
    decoded = last_pixels(decode_boxes(torch.tensor([[0.0, 0.0, 30.0, 30.0], [0.0, 0.0, 3e38, 3e38]]), anchor))
    for box in decoded.tolist():
        assert box == pytest.approx([-1996, -1996, 2003, 2003], abs=1e-3)
    below = torch.tensor([[0.0, 0.0, 5 * math.log(62), -200.0]])
    sides = decode_boxes(below, anchor)[0].view(2, 2).diff(dim=0).flatten()
    assert sides.tolist() == pytest.approx([62 * 64, 0], rel=1e-5)  # not cut, and no least size


def test_decoding_undoes_encoding() -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(2, 50, 2, generator=generator, dtype=torch.float64) * 300 - 50
    sides = torch.rand(2, 50, 2, generator=generator, dtype=torch.float64) * 200 + 4
    boxes, anchors = torch.cat([corners, corners + sides], dim=-1)
    assert torch.allclose(decode_boxes(encode_boxes(boxes, anchors), anchors), boxes, atol=1e-9)
