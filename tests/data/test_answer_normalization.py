"""One spelling for every answer."""

import pytest

from fiber.data.answer_normalization import CONTRACTIONS, normalize_answer


@pytest.mark.parametrize(
    ("answer", "normalized"),
    [
        ("Yes", "yes"),
        ("The  Red car", "red car"),
        ("a an the", ""),
        ("two", "2"),
        ("None", "0"),
        ("twenty one", "twenty 1"),
        ("t-shirt", "t shirt"),
        ("t-shirt - blue", "tshirt blue"),  # one free dash, and all dashes are deleted
        ("yes, no", "yes no"),
        ("yes,no", "yes no"),
        ("1,000-2", "10002"),  # a comma between digits, and all marks are deleted
        ("dr. who", "dr who"),
        ("3.5 p.m.", "3.5 pm"),
        (".5", ".5"),
        ("dont", "don't"),
        ("couldnt've", "couldn't've"),
        ("couldn'tve", "couldn't've"),
        ("y'alld've", "y'all'd've"),
        ("somebody'd", "somebodyd"),
        ("Im", "im"),  # the table has it with a capital letter, which never meets one
        ("what?!", "what"),
        ("o\nk", "o k"),
    ],
)
def test_answers_are_spelled_as_the_evaluator_spells_them(answer: str, normalized: str) -> None:
    assert normalize_answer(answer) == normalized


def test_the_evaluators_contractions_are_all_there() -> None:
    # 120 entries, less four that begin with a capital I and two that map to themselves.
    assert len(CONTRACTIONS) == 120 - 4 - 2
    assert all(wrong != right for wrong, right in CONTRACTIONS.items())


def test_normalizing_twice_changes_nothing() -> None:
    for answer in ("The t-shirts, two of them", "dont know", "3.5 p.m.", "none"):
        assert normalize_answer(normalize_answer(answer)) == normalize_answer(answer)
