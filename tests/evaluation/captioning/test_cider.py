"""CIDEr-D by hand, and its document frequencies."""

import json
import math
from pathlib import Path

import pytest

from fiber.evaluation.captioning.cider import CiderD, ended_words
from fiber.evaluation.captioning.document_frequencies import DocumentFrequencies
from fiber.utils.errors import UserError

FREQUENCIES = DocumentFrequencies(4, {"a": 4, "dog": 2, "a dog": 2})


def score(hypothesis: str, *references: str) -> float:
    return CiderD(FREQUENCIES).scores([hypothesis.split()], [text.split() for text in references])[0]


def test_a_caption_equal_to_its_reference_scores_ten_for_every_length_of_run_that_weighs() -> None:
    assert score("a b c d", "a b c d") == pytest.approx(10)
    assert score("b c", "b c") == pytest.approx(5)  # no run of three or four words
    assert score("a", "a") == 0  # a word of every image weighs nothing


def test_common_words_weigh_less_than_telling_ones() -> None:
    # One word each: cosine of (dog, x) with (dog, y), weights ln 2 and ln 4; no pair of words is shared.
    expected = 10 / 4 * math.log(2) ** 2 / (math.log(2) ** 2 + math.log(4) ** 2)
    assert score("dog x", "dog y") == pytest.approx(expected)


def test_a_word_repeated_counts_no_more_than_in_the_reference() -> None:
    # Words: min(2, 1) * 1 / (2 * 1); the pair "x x" is not in the reference. Lengths: one pair against none.
    assert score("x x", "x") == pytest.approx(10 / 4 * 0.5 * math.exp(-1 / 72))


def test_captions_of_another_length_score_less() -> None:
    words = 1 * 1 / math.sqrt(5)
    assert score("x", "x y z v w") == pytest.approx(10 / 4 * words * math.exp(-(4**2) / 72))


def test_references_are_averaged() -> None:
    assert score("b c", "b c", "x y") == pytest.approx(2.5)


def test_several_captions_of_an_image_are_scored_as_one_by_one() -> None:
    scorer = CiderD(FREQUENCIES)
    hypotheses, references = [["b", "c"], [], ["x", "c"]], [["b", "c", "d"], ["x"]]
    assert scorer.scores(hypotheses, references) == [scorer.scores([one], references)[0] for one in hypotheses]
    assert scorer.scores([[]], references) == [0]


def test_a_document_is_an_image_with_all_its_captions() -> None:
    counted = DocumentFrequencies.from_references(
        [[["a", "dog"], ["a", "a", "dog"]], [["a", "cat"]], [["the", "dog"]]],
    )
    assert counted == DocumentFrequencies(3, {"a": 2, "dog": 2})  # runs of one image are not kept
    assert counted.weight("a") == pytest.approx(math.log(3 / 2))
    assert counted.weight("cat") == counted.weight("never seen") == pytest.approx(math.log(3))


def test_document_frequencies_survive_saving(tmp_path: Path) -> None:
    path = tmp_path / "new" / "frequencies.json"
    FREQUENCIES.save(path)
    assert DocumentFrequencies.load(path) == FREQUENCIES
    assert json.loads(path.read_text()) == {"num_documents": 4, "counts": {"a": 4, "dog": 2, "a dog": 2}}


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("[1]")
    with pytest.raises(UserError, match=r"other\.json is of another format: expected document frequencies"):
        DocumentFrequencies.load(path)
    with pytest.raises(UserError, match=r"none\.json does not exist"):
        DocumentFrequencies.load(tmp_path / "none.json")


def test_the_end_is_a_word() -> None:
    assert ended_words("A dog.") == ["a", "dog", "<eos>"]
