"""Which phrases of a text are asked for."""

import pytest

from fiber.inference.phrases.text_phrases import Phrase, PhraseSource, choose_phrases
from fiber.utils.errors import UserError


@pytest.mark.parametrize(
    ("text", "source", "names"),
    [
        (" [a small dog] chases two cats", PhraseSource.BRACKETS, ("a small dog",)),
        ("a small dog chases two cats", PhraseSource.NOUN_PHRASES, ("a small dog", "two cats")),
        ("a dog", PhraseSource.NOUN_PHRASES, ("a dog",)),
        ("a dog. two cats.", PhraseSource.LIST, ("a dog", "two cats")),
        ("the man in red. a woman holding a cup", PhraseSource.LIST, ("the man in red", "a woman holding a cup")),
        ("A man sits. He holds a dog.", PhraseSource.NOUN_PHRASES, ("A man", "a dog")),
        ("Two dogs. They are on a sofa.", PhraseSource.NOUN_PHRASES, ("Two dogs", "a sofa")),
        ("running very quickly", PhraseSource.WHOLE_TEXT, ("running very quickly",)),
        ("red. 42", PhraseSource.LIST, ("red", "42")),
        ("him.", PhraseSource.WHOLE_TEXT, ("him",)),
    ],
)
def test_brackets_come_before_lists_and_lists_before_noun_phrases(
    text: str, source: PhraseSource, names: tuple[str, ...]
) -> None:
    found = choose_phrases(text)
    assert (found.source, found.prompt.names) == (source, names)


def test_class_names_between_full_stops_are_a_list() -> None:
    names = [
        "person",
        "traffic light",
        "skis",
        "can",
        "parking meter",
        "frisbee",
        "sports ball",
        "dining table",
        "watches",
    ]
    found = choose_phrases(". ".join(names))
    assert found.source is PhraseSource.LIST and found.prompt.names == tuple(names)


@pytest.mark.parametrize(
    ("phrases", "spans"),
    [
        (["a dog", "a dog"], [[(0, 5)], [(16, 21)]]),
        (["DOG", "a red hat"], [[(2, 5)], [(34, 43)]]),
        (["a red hat", "hat"], [[(34, 43)], [(40, 43)]]),  # within another, where there is no other
        (["a dog", "dog"], [[(0, 5)], [(18, 21)]]),
        ([(2, 5)], [[(2, 5)]]),
        ([[(0, 5), (16, 21)], "red"], [[(0, 5), (16, 21)], [(36, 39)]]),
        ([[2, 5]], [[(2, 5)]]),  # as JSON has it
    ],
)
def test_given_phrases_win(phrases: list[Phrase], spans: list[list[tuple[int, int]]]) -> None:
    text = "a dog looks at, a dog a doghouse, a red hat"
    found = choose_phrases(text, phrases)
    assert found.source is PhraseSource.GIVEN and found.prompt.text == text
    assert found.prompt.spans == tuple(tuple(own) for own in spans)


@pytest.mark.parametrize(
    ("phrases", "message"),
    [
        ([], "give a list of phrases"),
        ("a dog", "give a list of phrases"),
        (["a cat"], "phrase 'a cat' does not occur in the text 'a dog runs'"),
        (["do"], "phrase 'do' does not occur"),
        ([" "], "phrase ' ' does not occur"),
        (["a dog", "a dog"], "phrase 'a dog' occurs 1 times"),
        ([(2, 30)], r"phrase \(2, 30\) is no span of the text .* within 0 and 10"),
        ([(5, 6)], "is no span"),
        ([(4, 4)], "is no span"),
        ([[(0, 5), "dog"]], "phrase 'dog' is no span"),
        ([[]], "has no span"),
    ],
)
def test_phrases_that_are_not_of_the_text_are_refused(phrases: list[Phrase], message: str) -> None:
    with pytest.raises(UserError, match=message):
        choose_phrases("a dog runs", phrases)


@pytest.mark.parametrize("text", ["", " . "])
def test_a_text_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=f"text {text.strip()!r} names nothing"):
        choose_phrases(text)
