"""ROUGE-L by hand."""

import pytest

from fiber.evaluation.captioning.rouge import longest_common_subsequence, rouge_l


@pytest.mark.parametrize(
    ("first", "second", "length"),
    [("abcbdab", "bdcaba", 4), ("abc", "abc", 3), ("abc", "cba", 1), ("abc", "xyz", 0), ("", "a", 0), ("aab", "ab", 2)],
)
def test_common_words_keep_their_order(first: str, second: str, length: int) -> None:
    assert longest_common_subsequence(first, second) == length == longest_common_subsequence(second, first)


def test_the_best_precision_and_the_best_recall_may_come_from_different_references() -> None:
    hypothesis = ["a", "b", "c", "d"]
    # Precision 3/4 from the first (recall 3/6), recall 2/2 from the second (precision 2/4).
    score = rouge_l(hypothesis, [["a", "b", "c", "x", "y", "z"], ["a", "d"]])
    assert score == pytest.approx((1 + 1.44) * 0.75 * 1 / (1 + 1.44 * 0.75))


def test_nothing_in_common_is_zero() -> None:
    assert rouge_l(["a"], [["b"]]) == 0 == rouge_l([], [["b"]])
