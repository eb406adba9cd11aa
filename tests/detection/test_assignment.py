"""Which anchors answer for which boxes, against a literal reading of the rule.

Axes: A anchors, K boxes.
"""

import statistics

import pytest
import torch
from torch import Tensor

from fiber.detection.anchors import make_anchors
from fiber.detection.assignment import assign_anchors
from fiber.detection.inclusive_pixels import last_pixels

SIZES = ((24, 32), (12, 16), (6, 8), (3, 4), (2, 2))
STRIDES = (8, 16, 32, 64, 128)
LENGTHS = [height * width for height, width in SIZES]
FAR = [[1000.0, 1000.0, 1010.0, 1010.0], [2000.0, 2000.0, 2010.0, 2010.0]]


@pytest.fixture
def anchors() -> Tensor:
    """Of an image of 192 x 256 pixels."""
    return make_anchors(SIZES, STRIDES, scale=8.0)


def continuous(*boxes: list[float]) -> Tensor:
    """Boxes given with their last pixels."""
    return torch.tensor(boxes) + torch.tensor([0.0, 0.0, 1.0, 1.0])


def literal_overlap(a: list[float], b: list[float]) -> float:
    """Of two boxes with their last pixels."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]) + 1, min(a[3], b[3]) - max(a[1], b[1]) + 1
    inter = max(0.0, width) * max(0.0, height)
    areas = [(x2 - x1 + 1) * (y2 - y1 + 1) for x1, y1, x2, y2 in (a, b)]
    return inter / (sum(areas) - inter)


def literal_assignment(anchors: list[list[float]], lengths: list[int], boxes: list[list[float]]) -> list[int]:
    """The published rule, anchor by anchor; all boxes with their last pixels."""
    best, owner = [0.0] * len(anchors), [-1] * len(anchors)
    centres = [((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in anchors]
    for number, box in enumerate(boxes):
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        candidates, start = [], 0
        for length in lengths:
            level = range(start, start + length)
            distance = {a: (centres[a][0] - middle[0]) ** 2 + (centres[a][1] - middle[1]) ** 2 for a in level}
            candidates += sorted(level, key=distance.__getitem__)[:9]
            start += length
        overlap = {a: literal_overlap(anchors[a], box) for a in candidates}
        threshold = statistics.mean(overlap.values()) + statistics.stdev(overlap.values())
        for a in candidates:
            x, y = centres[a]
            inside = min(x - box[0], y - box[1], box[2] - x, box[3] - y) > 0.01
            if overlap[a] >= threshold and inside and overlap[a] > best[a]:
                best[a], owner[a] = overlap[a], number
    return owner


def test_assignment_equals_a_literal_reading_on_random_boxes(anchors: Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        corners = torch.rand(8, 2, generator=generator) * torch.tensor([200.0, 140.0])
        boxes = torch.cat([corners, corners + torch.rand(8, 2, generator=generator) ** 2 * 150 + 2], dim=1)
        expected = literal_assignment(last_pixels(anchors).tolist(), LENGTHS, last_pixels(boxes).tolist())
        assert assign_anchors(anchors, LENGTHS, boxes).tolist() == expected
        assert len(set(expected)) > 4


def test_published_assignment_of_two_images(anchors: Tensor) -> None:
    first = continuous([10, 20, 120, 150], [60, 5, 90, 40], [0, 0, 249, 191])
    second = continuous([100, 60, 180, 130])
    expected = {
        1: [40, 41, 72, 73, 74, 104, 105, 106, 137],
        0: [835, 836, 837, 850, 851, 852, 853, 867, 868],
        2: [971, 978, 979, 980, 986, 987, 988, 995, 996],
    }
    found = assign_anchors(anchors, LENGTHS, first)
    for box, wanted in expected.items():
        assert (found == box).nonzero().flatten().tolist() == wanted
    assert int((found == -1).sum()) == len(anchors) - 27
    found = assign_anchors(anchors, LENGTHS, second)
    assert (found == 0).nonzero().flatten().tolist() == [337, 338, 368, 369, 370, 400, 401, 402, 433]


def test_without_boxes_every_anchor_is_negative(anchors: Tensor) -> None:
    found = assign_anchors(anchors, LENGTHS, torch.zeros(0, 4))
    assert found.dtype == torch.int64
    assert found.tolist() == [-1] * len(anchors)


def test_an_anchor_positive_for_two_boxes_goes_to_the_larger_overlap() -> None:
    anchors = torch.tensor([[0.0, 0.0, 64.0, 64.0], *FAR])
    good, better = [0.0, 0.0, 50.0, 64.0], [2.0, 0.0, 64.0, 64.0]
    assert assign_anchors(anchors, [3], torch.tensor([good])).tolist() == [0, -1, -1]  # each alone has it
    assert assign_anchors(anchors, [3], torch.tensor([better])).tolist() == [0, -1, -1]
    assert assign_anchors(anchors, [3], torch.tensor([good, better])).tolist() == [1, -1, -1]
    assert assign_anchors(anchors, [3], torch.tensor([better, good])).tolist() == [0, -1, -1]


@pytest.mark.parametrize(("distance", "positive"), [(0.02, True), (0.005, False), (-3.0, False)])
@pytest.mark.parametrize("side", range(4))
def test_a_centre_must_lie_a_hundredth_of_a_pixel_inside(distance: float, positive: bool, side: int) -> None:
    anchors = torch.tensor([[0.0, 0.0, 64.0, 64.0], *FAR], dtype=torch.float64)
    box = [-20.0, -20.0, 83.0, 83.0]  # last pixels; the centre is 31.5 in these terms
    box[side] = 31.5 - distance if side < 2 else 31.5 + distance
    boxes = continuous(box).double()
    boxes[0, side] = box[side] + (side >= 2)
    assert assign_anchors(anchors, [3], boxes).tolist() == [0 if positive else -1, -1, -1]


def test_a_tiny_box_has_the_anchors_whose_centres_it_holds(anchors: Tensor) -> None:
    around_a_centre = torch.tensor([[98.0, 98.0, 102.0, 102.0]])  # of cell 12, 12 of the finest level
    assert assign_anchors(anchors, LENGTHS, around_a_centre).ne(-1).nonzero().tolist() == [[12 * 32 + 12]]
    between_centres = torch.tensor([[102.0, 102.0, 106.0, 106.0]])
    assert assign_anchors(anchors, LENGTHS, between_centres).eq(-1).all()


def test_levels_smaller_than_the_number_of_candidates_take_part() -> None:
    sizes = [(4, 4), (2, 2), (1, 1), (1, 1), (1, 1)]
    anchors, lengths = make_anchors(sizes, STRIDES, scale=8.0), [16, 4, 1, 1, 1]
    boxes = torch.tensor([[1.3, 2.1, 120.7, 118.9]])
    expected = literal_assignment(last_pixels(anchors).tolist(), lengths, last_pixels(boxes).tolist())
    assert assign_anchors(anchors, lengths, boxes).tolist() == expected
    assert 0 in expected


def test_a_box_without_area_has_no_anchor(anchors: Tensor) -> None:
    assert assign_anchors(anchors, LENGTHS, torch.tensor([[100.0, 100.0, 100.0, 100.0]])).eq(-1).all()
