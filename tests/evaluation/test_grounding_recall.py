"""Phrase grounding, by hand-made boxes."""

import pytest
import torch
from torch import Tensor

from fiber.evaluation.grounding_recall import GroundingRecall, hits_at_ranks

NOWHERE = [0, 0, 0, 0]


def boxes(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32).view(-1, 4)


def test_any_box_of_a_phrase_counts_and_ranks_are_the_originals() -> None:
    recall = GroundingRecall()
    # The original ends every list with a box of no size; a phrase without boxes of its own is not judged.
    recall.add(
        [
            boxes([0, 0, 50, 40], [0, 0, 50, 38], NOWHERE),  # IoU 0.4 with either man alone
            boxes([0, 0, 10, 10], [60, 60, 80, 72], NOWHERE),
            boxes([0, 0, 99, 99]),
        ],
        [boxes([0, 0, 20, 40], [30, 0, 50, 40]), boxes([60, 60, 80, 80]), boxes()],
    )
    assert recall.metrics() == {"recall_1": 0.0, "recall_5": 0.5, "recall_10": 0.5}


def test_the_original_example() -> None:
    """Its second box of the first phrase is the second man, up to two rows of pixels."""
    recall = GroundingRecall()
    recall.add(
        [boxes([0, 0, 50, 40], [30, 0, 50, 38], NOWHERE), boxes([0, 0, 10, 10], [60, 60, 80, 72], NOWHERE)],
        [boxes([0, 0, 20, 40], [30, 0, 50, 40]), boxes([60, 60, 80, 80])],
    )
    assert recall.metrics() == {"recall_1": 0.0, "recall_5": 1.0, "recall_10": 1.0}


@pytest.mark.parametrize(
    ("place", "hits"),
    [(0, (True, True, True)), (1, (False, True, True)), (4, (False, True, True)), (5, (False, False, True))],
)
def test_a_box_counts_from_its_rank_on(place: int, hits: tuple[bool, ...]) -> None:
    predicted = boxes(*[[50, 50, 60, 60]] * 10)
    predicted[place] = torch.tensor([0.0, 0.0, 10.0, 10.0])
    assert hits_at_ranks(predicted, boxes([0, 0, 10, 10])) == hits


def test_the_eleventh_box_comes_too_late() -> None:
    predicted = boxes(*[[50, 50, 60, 60]] * 10, [0, 0, 10, 10])
    assert hits_at_ranks(predicted, boxes([0, 0, 10, 10])) == (False, False, False)


def test_an_overlap_of_half_is_enough_and_pixels_are_continuous() -> None:
    truth = boxes([0, 0, 10, 10])
    assert hits_at_ranks(boxes([0, 0, 10, 5]), truth)[0]
    assert not hits_at_ranks(boxes([0, 0, 10, 4.9]), truth)[0]  # with the last pixel counted it would be 0.54


def test_a_phrase_without_predictions_is_missed() -> None:
    recall = GroundingRecall()
    recall.add([boxes(), boxes([0, 0, 10, 10])], [boxes([0, 0, 10, 10])] * 2)
    assert recall.metrics() == {"recall_1": 0.5, "recall_5": 0.5, "recall_10": 0.5}


def test_phrases_count_alike_whatever_captions_they_stand_in() -> None:
    right, wrong = boxes([0, 0, 10, 10]), boxes([50, 50, 60, 60])
    recall = GroundingRecall()
    recall.add([right, right, wrong], [right] * 3)
    recall.add([right], [right])
    assert recall.metrics()["recall_1"] == 0.75


def test_nothing_judged_is_no_recall() -> None:
    recall = GroundingRecall()
    recall.add([boxes([0, 0, 1, 1])], [boxes()])
    assert recall.metrics() == {"recall_1": 0.0, "recall_5": 0.0, "recall_10": 0.0}
