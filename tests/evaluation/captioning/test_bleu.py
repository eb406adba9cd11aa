"""BLEU by hand."""

import math

import pytest

from fiber.evaluation.captioning.bleu import closest_length, corpus_bleu


def test_a_repeated_word_counts_as_often_as_in_the_reference_that_has_it_most() -> None:
    hypothesis = ["the", "the", "the", "the", "the", "the", "the"]
    references = [["the", "cat", "is", "on", "the", "mat"], ["there", "is", "a", "cat", "on", "the", "mat"]]
    scores = corpus_bleu([hypothesis], [references])
    assert scores[0] == pytest.approx(2 / 7, abs=1e-9)  # the example of Papineni et al.; as long as a reference
    assert scores[1] < 1e-6


def test_matches_add_up_over_the_corpus() -> None:
    scores = corpus_bleu([["a", "b"], ["c", "d"]], [[["a", "b"]], [["c", "x"]]])
    assert scores[0] == pytest.approx(3 / 4, abs=1e-8)
    assert scores[1] == pytest.approx(math.sqrt(3 / 4 * 1 / 2), abs=1e-8)


def test_short_captions_are_punished_once_for_the_corpus() -> None:
    scores = corpus_bleu([["a"], ["b", "c"]], [[["a", "b"]], [["b", "c"]]])
    assert scores[0] == pytest.approx(math.exp(1 - 4 / 3), abs=1e-8)
    longer = corpus_bleu([["a"], ["b", "c", "d"]], [[["a", "b"]], [["b", "c"]]])
    assert longer[0] == pytest.approx(3 / 4, abs=1e-8)  # 4 words against 4


def test_the_closest_reference_length_counts_and_the_shorter_of_two() -> None:
    references = [["a"] * 3, ["a"] * 7, ["a"] * 5]
    assert [closest_length(length, references) for length in (1, 4, 6, 9)] == [3, 3, 5, 7]
