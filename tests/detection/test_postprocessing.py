"""From raw output to detections, on outputs written by hand.

Axes: A = 9 anchors, L = 6 tokens.
"""

import math

import pytest
import torch
from torch import Tensor

from fiber.detection.anchors import make_anchors
from fiber.detection.box_coder import encode_boxes
from fiber.detection.postprocessing import (
    Detections,
    GroundingPostProcessor,
    PostProcessingConfig,
    label_probabilities,
)
from fiber.models.detector_config import DetectorConfig
from fiber.models.grounding_head import DetectorOutput
from fiber.utils.errors import UserError

SIZES = ((2, 2), (1, 2), (1, 1), (1, 1), (1, 1))
SIZE = (180, 250)
"""Height and width of the image."""
NOTHING = -12.0
"""Logit of what is not shown."""
BOXES = torch.tensor(
    [
        [10.0, 10.0, 50.0, 50.0],
        [12.0, 10.0, 52.0, 50.0],  # overlaps the first by 0.90
        [100.0, 100.0, 140.0, 140.0],
        [60.0, 10.0, 90.0, 40.0],
        [150.0, 10.0, 190.0, 50.0],
        [200.0, 100.0, 240.0, 140.0],
        [20.0, 100.0, 60.0, 140.0],
        [100.0, 10.0, 130.0, 40.0],
        [-30.0, 160.0, 30.0, 230.0],  # sticks out to the left and below
    ]
)


def make_output(
    probabilities: dict[tuple[int, int], float], centerness: dict[int, float] | None = None
) -> DetectorOutput:
    """`BOXES` with a probability per anchor and token, and per anchor a centerness of 0.5 or as given."""
    anchors = make_anchors(SIZES, DetectorConfig().strides, scale=8.0)
    logits, centres = torch.full((9, 6), NOTHING), torch.zeros(9)
    for place, probability in probabilities.items():
        logits[place] = math.log(probability / (1 - probability))
    for anchor, value in (centerness or {}).items():
        centres[anchor] = math.log(value / (1 - value))
    mask = torch.ones(1, 6, dtype=torch.bool)
    return DetectorOutput(logits[None], encode_boxes(BOXES, anchors)[None], centres[None], mask, SIZES)


def detect(output: DetectorOutput, positions: list[list[int]], **limits: float) -> Detections:
    config = PostProcessingConfig(**limits)  # type: ignore[arg-type]
    (found,) = GroundingPostProcessor(DetectorConfig(), config)(output, [SIZE], [positions])
    return found


def test_label_probabilities_are_means_over_tokens() -> None:
    logits = torch.tensor([[0.1, 0.9, 0.5, 0.2]]).logit()
    found = label_probabilities(logits, [[], [1, 2], [], [3], []])
    assert found[0].tolist() == pytest.approx([0, 0.7, 0, 0.2, 0], abs=1e-7)


def test_score_is_the_root_of_mean_probability_times_centerness() -> None:
    found = detect(make_output({(2, 1): 0.9, (2, 2): 0.5}, {2: 0.8}), [[4], [1, 2]])
    assert found.labels.tolist() == [1]
    assert found.scores.tolist() == pytest.approx([math.sqrt(0.7 * 0.8)])
    assert found.boxes[0].tolist() == pytest.approx(BOXES[2].tolist(), abs=1e-4)


def test_the_threshold_is_for_the_probability_alone() -> None:
    output = make_output({(2, 1): 0.35, (3, 1): 0.25}, {2: 0.01, 3: 0.99})
    found = detect(output, [[1]], score_threshold=0.3)
    assert found.scores.tolist() == pytest.approx([math.sqrt(0.35 * 0.01)])


def test_a_probability_at_the_threshold_is_not_enough() -> None:
    output = make_output({(2, 1): 0.5})
    assert len(detect(output, [[1]], score_threshold=0.5).scores) == 0
    assert len(detect(output, [[1]], score_threshold=0.4999).scores) == 1


def test_a_label_without_tokens_is_never_found() -> None:
    output = make_output({(2, 1): 0.9})
    found = detect(output, [[], [1], []], score_threshold=0.0)
    assert set(found.labels.tolist()) == {1}
    assert len(detect(output, [[]], score_threshold=0.0).scores) == 0
    assert len(detect(output, [], score_threshold=0.0).scores) == 0


def test_suppression_is_among_boxes_of_one_label() -> None:
    output = make_output({(0, 1): 0.9, (1, 1): 0.8, (1, 2): 0.7})
    found = detect(output, [[1], [2]])
    assert found.labels.tolist() == [0, 1]  # of label 0 the better box stays
    assert found.boxes[:, 0].tolist() == pytest.approx([10, 12], abs=1e-4)
    assert len(detect(output, [[1], [2]], nms_threshold=0.95).labels) == 3


def test_suppression_counts_the_last_pixel() -> None:
    """Boxes of 3 x 1 and 2 x 1 pixels overlap by 2/3; without their last pixels, by 1/2."""
    anchors = make_anchors(SIZES, DetectorConfig().strides, scale=8.0)
    boxes = BOXES.clone()
    boxes[0], boxes[1] = torch.tensor([10.0, 10.0, 13.0, 11.0]), torch.tensor([10.0, 10.0, 12.0, 11.0])
    output = make_output({(0, 1): 0.9, (1, 1): 0.8})._replace(deltas=encode_boxes(boxes, anchors)[None])
    assert len(detect(output, [[1]], nms_threshold=0.6).labels) == 1
    assert len(detect(output, [[1]], nms_threshold=0.7).labels) == 2


def test_every_level_gives_its_best_candidates() -> None:
    output = make_output({(0, 1): 0.6, (2, 1): 0.9, (3, 1): 0.8, (4, 1): 0.3, (5, 1): 0.4, (6, 1): 0.2})
    found = detect(output, [[1]], max_candidates=1)
    assert found.scores.square().mul(2).tolist() == pytest.approx([0.9, 0.4, 0.2])


def test_pairs_of_anchor_and_label_compete_for_a_level() -> None:
    output = make_output({(2, 1): 0.9, (2, 3): 0.8, (3, 1): 0.7})
    found = detect(output, [[1], [3]], max_candidates=2)
    assert found.labels.tolist() == [0, 1]
    assert found.boxes[:, 0].tolist() == pytest.approx([100, 100], abs=1e-4)


def test_detections_are_sorted_and_limited() -> None:
    output = make_output({(2, 1): 0.3, (3, 1): 0.9, (5, 2): 0.5, (7, 2): 0.8})
    everything = detect(output, [[1], [2]])
    assert everything.scores.square().mul(2).tolist() == pytest.approx([0.9, 0.8, 0.5, 0.3])
    assert everything.labels.tolist() == [0, 1, 1, 0]
    assert everything.boxes[:, 0].tolist() == pytest.approx([60, 100, 200, 100], abs=1e-4)
    limited = detect(output, [[1], [2]], max_detections=3)
    assert torch.equal(limited.scores, everything.scores[:3])


def test_ties_at_the_limit_stay() -> None:
    output = make_output({(2, 1): 0.9, (3, 1): 0.5, (5, 1): 0.5, (7, 1): 0.5, (6, 1): 0.4})
    found = detect(output, [[1]], max_detections=2)
    assert found.scores.square().mul(2).tolist() == pytest.approx([0.9, 0.5, 0.5, 0.5])


def test_boxes_are_clipped_to_the_image_without_padding() -> None:
    found = detect(make_output({(8, 1): 0.9}), [[1]])
    assert found.boxes[0].tolist() == pytest.approx([0, 160, 30, 180], abs=1e-4)


def test_every_image_has_its_own_size_and_labels() -> None:
    one, other = make_output({(8, 1): 0.9}), make_output({(8, 3): 0.8})
    parts = [torch.cat(pair) for pair in zip(one[:4], other[:4], strict=True)]
    output = DetectorOutput(*parts, SIZES)  # type: ignore[arg-type]
    processor = GroundingPostProcessor(DetectorConfig())
    first, second = processor(output, [(180, 250), (170, 20)], [[[1]], [[2], [3]]])
    assert (first.labels.tolist(), second.labels.tolist()) == ([0], [1])
    assert second.boxes[0].tolist() == pytest.approx([0, 160, 20, 170], abs=1e-4)


def test_scores_do_not_depend_on_autocast() -> None:
    output = make_output({(2, 1): 0.9123, (2, 2): 0.4321, (5, 1): 0.3}, {2: 0.777})
    expected = detect(output, [[1, 2]])
    with torch.autocast("cpu", torch.bfloat16):
        found = detect(output, [[1, 2]])
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)


def test_half_precision_output_is_scored_in_full() -> None:
    output = make_output({(2, 1): 0.9})
    half = DetectorOutput(*(part.half() for part in output[:3]), *output[3:])  # type: ignore[arg-type]
    assert detect(half, [[1]]).scores.dtype == torch.float32


def test_detections_scale_with_the_image() -> None:
    boxes: Tensor = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    found = Detections(boxes, torch.ones(1), torch.zeros(1, dtype=torch.int64)).scaled(2.0, 10.0)
    assert found.boxes.tolist() == [[2, 20, 6, 40]]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("score_threshold", 1.0),
        ("score_threshold", -0.1),
        ("nms_threshold", 0.0),
        ("max_candidates", 0),
        ("max_detections", 0),
    ],
)
def test_a_limit_out_of_range_is_named(option: str, value: float) -> None:
    with pytest.raises(UserError, match=f"{option}={value}"):
        PostProcessingConfig(**{option: value})  # type: ignore[arg-type]
