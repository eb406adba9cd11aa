"""Referring expressions, by hand-made boxes."""

import pytest
import torch
from torch import Tensor

from fiber.evaluation.referring import judge_expression, mean_precision

TRUTH = [0, 0, 40, 40]
ELSEWHERE = [90, 90, 99, 99]


def boxes(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32).view(-1, 4)


def test_a_box_may_be_right_by_iou_and_wrong_by_generalised_iou() -> None:
    judged = judge_expression(boxes([7, 7, 47, 47]), boxes(TRUTH))
    union = 2 * 1600 - 33 * 33
    assert judged.best_iou == pytest.approx(33 * 33 / union)  # 0.5159; less the empty part of the hull: 0.4715
    assert 33 * 33 / union - (47 * 47 - union) / (47 * 47) == pytest.approx(0.4715, abs=1e-4)
    assert (judged.hits_iou, judged.hits_giou) == ((True,) * 3, (False,) * 3)


@pytest.mark.parametrize(
    ("place", "hits"),
    [(0, (True, True, True)), (1, (False, True, True)), (5, (False, False, True)), (10, (False, False, False))],
)
def test_a_box_counts_from_its_rank_on(place: int, hits: tuple[bool, ...]) -> None:
    predicted = boxes(*[ELSEWHERE] * 11)
    predicted[place] = torch.tensor(TRUTH)
    judged = judge_expression(predicted, boxes(TRUTH))
    assert judged.hits_iou == judged.hits_giou == hits
    assert judged.best_iou == (1.0 if place == 0 else 0.0)


def test_half_an_overlap_is_enough_and_pixels_are_continuous() -> None:
    assert judge_expression(boxes([0, 0, 40, 20]), boxes(TRUTH)).hits_iou[0]
    assert not judge_expression(boxes([0, 0, 40, 19.9]), boxes(TRUTH)).hits_iou[0]


def test_nothing_found_is_a_miss() -> None:
    judged = [judge_expression(boxes(), boxes(TRUTH)), judge_expression(boxes(TRUTH), boxes(TRUTH))]
    assert judged[0].best_iou == 0.0
    assert mean_precision(judged) == {
        f"precision_{rank}_{overlap}": 0.5 for overlap in ("iou", "giou") for rank in (1, 5, 10)
    }
