"""Flickr30k Entities, by hand-made boxes."""

import torch
from torch import Tensor

from fiber.evaluation.flickr30k_entities import JudgedPhrase, enclosing_box, judge_phrase, recall_by_type

FOUND, LATE, MISSED = (True,) * 4, (False, True, True, True), (False,) * 4


def boxes(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32).view(-1, 4)


def test_the_merged_box_encloses_all_true_ones() -> None:
    assert enclosing_box(boxes([10, 0, 20, 40], [0, 5, 15, 50], [12, 12, 13, 13])).tolist() == [[0, 0, 20, 50]]
    assert enclosing_box(boxes([1, 2, 3, 4])).tolist() == [[1, 2, 3, 4]]


def test_a_box_around_two_men_is_neither_of_them() -> None:
    men = boxes([0, 0, 20, 40], [30, 0, 50, 40])
    around, one = boxes([0, 0, 50, 40]), boxes([0, 0, 20, 40])
    assert judge_phrase(around, men, ["people"]) == JudgedPhrase(("people",), any_box=MISSED, merged_box=FOUND)
    assert judge_phrase(one, men, ["people"]) == JudgedPhrase(("people",), any_box=FOUND, merged_box=MISSED)


def test_recall_is_by_type_and_of_all() -> None:
    recall = recall_by_type(
        [
            JudgedPhrase(("vehicles", "other"), FOUND, MISSED),
            JudgedPhrase(("other",), LATE, FOUND),
            JudgedPhrase((), MISSED, MISSED),  # of no known type
        ]
    )
    assert [(name, one.num_phrases) for name, one in recall.items()] == [("all", 3), ("other", 2), ("vehicles", 1)]
    assert recall["all"].any_box == {"recall_1": 1 / 3, "recall_5": 2 / 3, "recall_10": 2 / 3, "upper_bound": 2 / 3}
    assert recall["other"].any_box["recall_1"] == recall["other"].merged_box["recall_1"] == 0.5
    assert recall["vehicles"].merged_box["upper_bound"] == 0.0


def test_no_phrase_is_no_recall() -> None:
    recall = recall_by_type([])
    assert list(recall) == ["all"] and set(recall["all"].any_box.values()) == {0.0}
