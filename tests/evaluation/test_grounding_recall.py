"""Phrase grounding, by hand-made boxes."""

import pytest
import torch
from torch import Tensor

from fiber.evaluation.grounding_recall import find_phrase, mean_hits

NOWHERE = [0, 0, 0, 0]


def boxes(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32).view(-1, 4)


def test_any_box_of_a_phrase_counts() -> None:
    """The original's example: its second box of the first phrase is the second man, up to two rows of pixels."""
    hits = [
        # IoU 0.4 with either man alone; the original ends every list with a box of no size.
        find_phrase(boxes([0, 0, 50, 40], [30, 0, 50, 38], NOWHERE), boxes([0, 0, 20, 40], [30, 0, 50, 40])),
        find_phrase(boxes([0, 0, 10, 10], [60, 60, 80, 72], NOWHERE), boxes([60, 60, 80, 80])),
    ]
    assert mean_hits(hits) == {"recall_1": 0.0, "recall_5": 1.0, "recall_10": 1.0, "upper_bound": 1.0}


@pytest.mark.parametrize(
    ("place", "hits"),
    [
        (0, (True, True, True, True)),
        (1, (False, True, True, True)),
        (4, (False, True, True, True)),
        (5, (False, False, True, True)),
        (9, (False, False, True, True)),
        (10, (False, False, False, True)),
    ],
)
def test_a_box_counts_from_its_rank_on(place: int, hits: tuple[bool, ...]) -> None:
    predicted = boxes(*[[50, 50, 60, 60]] * 11)
    predicted[place] = torch.tensor([0.0, 0.0, 10.0, 10.0])
    assert find_phrase(predicted, boxes([0, 0, 10, 10])) == hits


def test_an_overlap_of_half_is_enough_and_pixels_are_continuous() -> None:
    truth = boxes([0, 0, 10, 10])
    assert find_phrase(boxes([0, 0, 10, 5]), truth)[0]
    assert not find_phrase(boxes([0, 0, 10, 4.9]), truth)[0]  # with the last pixel counted it would be 0.54


def test_a_phrase_without_predictions_is_missed() -> None:
    assert find_phrase(boxes(), boxes([0, 0, 10, 10])) == (False, False, False, False)


def test_every_phrase_counts_once() -> None:
    right, wrong = (True,) * 4, (False, False, False, True)
    assert mean_hits([right, right, wrong, right]) == {
        "recall_1": 0.75,
        "recall_5": 0.75,
        "recall_10": 0.75,
        "upper_bound": 1.0,
    }


def test_nothing_judged_is_no_recall() -> None:
    assert set(mean_hits([]).values()) == {0.0}
