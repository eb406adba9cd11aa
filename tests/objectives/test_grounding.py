"""Losses of the grounded detector, on outputs written by hand.

Axes: B images of 128 x 128 pixels, A = 341 anchors, L = 6 tokens.
"""

from collections.abc import Iterator, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fiber.detection.anchors import box_centres, make_anchors
from fiber.detection.assignment import assign_anchors
from fiber.detection.box_coder import encode_boxes
from fiber.models.detector_config import DetectorConfig
from fiber.models.grounding_head import DetectorOutput
from fiber.objectives import grounding
from fiber.objectives.grounding import (
    AnchorTargets,
    GroundingCriterion,
    GroundingCriterionConfig,
    GroundingLosses,
    ImageTargets,
    centerness_targets,
)

SIZES = ((16, 16), (8, 8), (4, 4), (2, 2), (1, 1))
LENGTHS = [height * width for height, width in SIZES]
NUM_ANCHORS = sum(LENGTHS)
DETECTOR = DetectorConfig(text_budget=6)
ANCHORS = make_anchors(SIZES, DETECTOR.strides, scale=8.0)
PUBLISHED_ANCHORS = torch.tensor([[-28.0, -28.0, 36.0, 36.0], [-20.0, -28.0, 44.0, 36.0]])
PUBLISHED_BOXES = torch.tensor([[-10.0, -5.0, 41.0, 51.0], [-20.0, -30.0, 31.0, 61.0]])
PUBLISHED_DELTAS = torch.tensor([[0.2, -0.1, 0.3, 0.4], [1.0, 2.0, -1.0, 0.5]])

BOXES = (
    torch.tensor([[10.3, 5.2, 70.1, 60.9], [60.7, 50.4, 120.2, 127.3]]),
    torch.zeros(0, 4),
    torch.tensor([[20.4, 30.1, 100.8, 90.6]]),
)
TOKENS = ([[1], [2, 3]], [], [[4]])


def make_targets() -> list[ImageTargets]:
    """Two boxes, none, one."""
    targets = []
    for boxes, tokens in zip(BOXES, TOKENS, strict=True):
        positives = torch.zeros(len(boxes), 6, dtype=torch.bool)
        for row, positions in enumerate(tokens):
            positives[row, positions] = True
        targets.append(ImageTargets(boxes, positives))
    return targets


def make_output(lengths: Sequence[int] = (5, 6, 5)) -> DetectorOutput:
    """Random predictions in float64 for images with texts of `lengths` tokens."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((NUM_ANCHORS, 6), (NUM_ANCHORS, 4), (NUM_ANCHORS,))
    logits, deltas, centerness = (
        torch.randn(len(lengths), *shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes
    )
    mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    return DetectorOutput(logits, deltas, centerness, mask, SIZES)


def images(output: DetectorOutput, index: list[int]) -> DetectorOutput:
    """Some images of a batch."""
    return DetectorOutput(*(part[index] for part in output[:4]), SIZES)  # type: ignore[arg-type]


def assert_close(found: GroundingLosses, expected: GroundingLosses) -> None:
    for name, mine, theirs in zip(found._fields, found, expected, strict=True):
        assert mine.item() == pytest.approx(theirs.item(), rel=1e-9), name


def literal_focal(logit: Tensor, wanted: Tensor) -> Tensor:
    """Of the published form, element by element."""
    p = logit.sigmoid()
    at = p * wanted + (1 - p) * (1 - wanted)
    return (
        (0.25 * wanted + 0.75 * (1 - wanted))
        * (1 - at) ** 2
        * F.binary_cross_entropy_with_logits(logit, wanted, reduction="none")
    )


def matched_anchors(image: int) -> Tensor:
    return assign_anchors(ANCHORS, LENGTHS, BOXES[image])


@pytest.mark.parametrize(("mask", "expected"), [([1, 1, 1, 0], 0.958222), ([1, 1, 1, 1], 0.958306)])
def test_token_loss_gives_the_published_numbers(mask: list[int], expected: float) -> None:
    logits = torch.tensor([[[2.0, -1.0, 0.5, -3.0], [-2.0, 1.0, 0.0, 4.0]]])
    output = DetectorOutput(logits, torch.zeros(1, 2, 4), torch.zeros(1, 2), torch.tensor([mask]).bool(), ((1, 2),))
    positives = torch.tensor([[True, False, False, False], [False, False, False, True]])
    matched = AnchorTargets(torch.tensor([0, 0]), torch.tensor([0, 1]), PUBLISHED_BOXES, positives)
    assert GroundingCriterion(DetectorConfig()).token_loss(output, matched).item() == pytest.approx(expected, abs=2e-6)


def test_box_loss_and_centerness_targets_give_the_published_numbers() -> None:
    centrality = centerness_targets(box_centres(PUBLISHED_ANCHORS), PUBLISHED_BOXES)
    assert centrality.tolist() == pytest.approx([0.260018, 0.590104], abs=2e-6)
    output = DetectorOutput(
        torch.zeros(1, 2, 4), PUBLISHED_DELTAS[None], torch.zeros(1, 2), torch.ones(1, 4).bool(), ((1, 2),)
    )
    none = torch.zeros(2, 4, dtype=torch.bool)
    matched = AnchorTargets(torch.tensor([0, 0]), torch.tensor([0, 1]), PUBLISHED_BOXES, none)
    criterion = GroundingCriterion(DetectorConfig())
    loss = criterion.box_loss(output, matched, PUBLISHED_ANCHORS, centrality)
    assert loss.item() * criterion.config.box_weight == pytest.approx(1.192612, abs=3e-6)
    assert loss.item() * centrality.sum().item() == pytest.approx(0.506933, abs=2e-6)


def test_token_loss_equals_the_formula_anchor_by_anchor() -> None:
    output, targets = make_output(), make_targets()
    total, number = torch.zeros(()).double(), 0
    for image, target in enumerate(targets):
        for anchor, box in enumerate(matched_anchors(image).tolist()):
            wanted = torch.zeros(6).double()
            if box >= 0:
                wanted[target.positive_map[box]] = 1
                number += 1
            elif image == 1:  # of the three texts only this one fills the budget
                wanted[5] = 1
            losses = literal_focal(output.token_logits[image, anchor], wanted)
            total += losses[output.text_mask[image]].sum()
    assert number > 10
    found = GroundingCriterion(DETECTOR)(output, targets)
    assert found.token.item() == pytest.approx((total / number).item(), rel=1e-9)


def test_only_a_text_that_fills_the_budget_has_a_no_object_token() -> None:
    output, targets = make_output((6, 6, 6)), make_targets()
    gradients = []
    for budget in (6, 256):
        loss = GroundingCriterion(DetectorConfig(text_budget=budget))(output, targets).token
        gradients.append(torch.autograd.grad(loss, output.token_logits)[0])
    full, part = gradients
    negative = matched_anchors(0) == -1
    assert (full[0, negative, 5] < 0).all()  # pushed up
    assert (part[0, negative, 5] > 0).all()
    assert torch.equal(full[0, negative, :5], part[0, negative, :5])
    assert (full[0, ~negative, 5] > 0).all()  # what shows an object is no "no object"


def test_centerness_loss_equals_the_formula() -> None:
    output, targets = make_output(), make_targets()
    total, number = 0.0, 0
    for image, target in enumerate(targets):
        for anchor, box in enumerate(matched_anchors(image).tolist()):
            if box < 0:
                continue
            x, y = box_centres(ANCHORS[anchor]).tolist()
            left, top, right, bottom = target.boxes[box].tolist()
            left, top, right, bottom = x - left - 0.5, y - top - 0.5, right - x - 0.5, bottom - y - 0.5
            share = min(left, right) / max(left, right) * min(top, bottom) / max(top, bottom)
            wanted = torch.tensor(share**0.5, dtype=torch.float64)
            total += F.binary_cross_entropy_with_logits(output.centerness[image, anchor], wanted).item()
            number += 1
    found = GroundingCriterion(DETECTOR)(output, targets)
    assert found.centerness.item() == pytest.approx(total / number, rel=1e-5)


def test_weights_scale_their_losses() -> None:
    output, targets = make_output(), make_targets()
    ones = GroundingCriterionConfig(token_weight=1.0, box_weight=1.0, centerness_weight=1.0)
    plain = GroundingCriterion(DETECTOR, ones)(output, targets)
    weights = GroundingCriterionConfig(token_weight=3.0, box_weight=5.0, centerness_weight=7.0)
    found = GroundingCriterion(DETECTOR, weights)(output, targets)
    assert_close(found, GroundingLosses(3 * plain.token, 5 * plain.box, 7 * plain.centerness))
    assert found.total().item() == pytest.approx(sum(part.item() for part in found))
    default = GroundingCriterion(DETECTOR)(output, targets)
    assert_close(default, GroundingLosses(plain.token, 2 * plain.box, plain.centerness))


def test_a_perfect_prediction_has_no_box_loss() -> None:
    output, targets = make_output(), make_targets()
    deltas = output.deltas.detach().clone()
    for image in (0, 2):
        matched = matched_anchors(image)
        positive = matched >= 0
        deltas[image, positive] = encode_boxes(BOXES[image][matched[positive]].double(), ANCHORS[positive].double())
    assert GroundingCriterion(DETECTOR)(output._replace(deltas=deltas), targets).box.item() == pytest.approx(
        0, abs=1e-6
    )


def test_only_positive_anchors_learn_boxes_and_centerness() -> None:
    output, targets = make_output(), make_targets()
    GroundingCriterion(DETECTOR)(output, targets).total().backward()
    for image in range(3):
        positive = matched_anchors(image) >= 0
        for part in (output.deltas, output.centerness):
            assert part.grad is not None
            assert part.grad[image, ~positive].eq(0).all()
            assert part.grad[image, positive].ne(0).any() == positive.any()


def test_padding_tokens_take_no_part() -> None:
    output, targets = make_output(), make_targets()
    logits = torch.where(output.text_mask[:, None], output.token_logits, 1e4)
    found = GroundingCriterion(DETECTOR)(output._replace(token_logits=logits), targets)
    assert_close(found, GroundingCriterion(DETECTOR)(output, targets))
    found.token.backward()
    assert output.token_logits.grad is not None
    assert output.token_logits.grad[0, :, 5].eq(0).all()
    assert output.token_logits.grad[0, :, :5].ne(0).all()


def test_the_order_of_images_changes_nothing() -> None:
    output, targets = make_output(), make_targets()
    order = [2, 0, 1]
    found = GroundingCriterion(DETECTOR)(images(output, order), [targets[index] for index in order])
    assert_close(found, GroundingCriterion(DETECTOR)(output, targets))


def test_a_batch_without_boxes_trains_on_negatives_alone() -> None:
    output = images(make_output(), [1])
    for part in output[:3]:
        assert isinstance(part, Tensor)
        part.retain_grad()
    losses = GroundingCriterion(DETECTOR)(output, [make_targets()[1]])
    wanted = torch.zeros_like(output.token_logits)
    wanted[..., 5] = 1
    assert losses.token.item() == pytest.approx(literal_focal(output.token_logits, wanted).sum().item())
    assert (losses.box.item(), losses.centerness.item()) == (0, 0)
    losses.total().backward()
    for part in output[:3]:
        assert isinstance(part, Tensor)
        assert part.grad is not None
        assert part.grad.isfinite().all()
    assert output.deltas.grad is not None
    assert output.deltas.grad.eq(0).all()


@pytest.mark.parametrize("shares", [([0, 1], [2]), ([0], [1]), ([1], [2])])
def test_the_number_of_processes_does_not_change_the_result(
    shares: tuple[list[int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes whose losses are averaged, as their gradients are, against one with all images."""
    output, targets = make_output(), make_targets()
    criterion = GroundingCriterion(DETECTOR)

    def losses(index: list[int]) -> GroundingLosses:
        return criterion(images(output, index), [targets[one] for one in index])

    expected = losses([*shares[0], *shares[1]])
    told: list[list[Tensor]] = []
    for index in shares:
        values: list[Tensor] = []

        def remember(value: Tensor, values: list[Tensor] = values) -> Tensor:
            values.append(value.detach())
            return value.detach()

        monkeypatch.setattr(grounding, "mean_over_processes", remember)
        losses(index)
        told.append(values)
    assert [len(values) for values in told] == [2, 2]  # every process takes part in as many collectives
    means: Iterator[Tensor]
    parts = []
    for index in shares:
        means = iter([(mine + theirs) / 2 for mine, theirs in zip(*told, strict=True)])
        monkeypatch.setattr(grounding, "mean_over_processes", lambda value, means=means: next(means))
        parts.append(losses(index))
    assert_close(GroundingLosses(*((mine + theirs) / 2 for mine, theirs in zip(*parts, strict=True))), expected)


def test_autocast_does_not_reach_the_losses() -> None:
    output, targets = make_output(), make_targets()
    output = output._replace(token_logits=output.token_logits.float(), deltas=output.deltas.float())
    expected = GroundingCriterion(DETECTOR)(output, targets)
    with torch.autocast("cpu", torch.bfloat16):
        assert_close(GroundingCriterion(DETECTOR)(output, targets), expected)


def test_centerness_is_one_in_the_middle_and_falls_to_the_sides() -> None:
    boxes = torch.tensor([[0.0, 0.0, 41.0, 21.0]] * 4)
    centres = torch.tensor([[20.5, 10.5], [10.5, 10.5], [10.5, 5.5], [0.5, 10.5]])
    expected = [1, (10 / 30) ** 0.5, (10 / 30 * 5 / 15) ** 0.5, 0]
    assert centerness_targets(centres, boxes).tolist() == pytest.approx(expected)
