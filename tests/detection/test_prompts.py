"""Texts that a detector is asked."""

import pytest

from fiber.detection.prompts import (
    ClassPrompt,
    bracketed_phrases,
    class_prompt,
    clean_name,
    separated_phrases,
)
from fiber.utils.errors import UserError


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("bass_(fish)", "bass "),
        ("__background__", " background "),
        ("a__b", "a b"),
        ("___x", "  x"),
        ("Cottontail-Rabbit", "Cottontail-Rabbit"),
        ("stirrer_(a)_x_(b)_cup", "stirrer cup"),  # from the first to the last parenthesis
    ],
)
def test_names_are_cleaned_as_in_the_training_prompts(name: str, clean: str) -> None:
    assert clean_name(name) == clean


def test_classes_are_joined_without_a_last_separator() -> None:
    prompt = class_prompt(["person", "traffic light", "dog", "cat", "hot_dog"])
    assert prompt.text == "person. traffic light. dog. cat. hot dog"
    assert prompt.spans == (((0, 6),), ((8, 21),), ((23, 26),), ((28, 31),), ((33, 40),))
    assert prompt.names == ("person", "traffic light", "dog", "cat", "hot dog")
    assert class_prompt([]).text == "" and class_prompt([]).spans == ()


def test_words_around_a_class_are_no_part_of_its_span(aquarium: list[str | ClassPrompt]) -> None:
    prompt = class_prompt(aquarium)
    assert prompt.text == (
        " fish. jellyfish. penguin , which is black and white. puffin with orange beaks . shark. starfish. "
        "stingray which is flat and round"
    )
    assert [span for (span,) in prompt.spans] == [
        (1, 5),
        (7, 16),
        (18, 25),
        (54, 60),
        (81, 86),
        (88, 96),
        (98, 106),
    ]


def test_only_plain_class_names_are_cleaned() -> None:
    assert class_prompt(["hot_dog", ClassPrompt("a_b")]).text == "hot dog. a_b"
    assert class_prompt(["hot_dog"], clean=False).text == "hot_dog"


@pytest.mark.parametrize("name", ["(fish)", "", "_"])
def test_a_class_without_a_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"entry 1 .* names nothing"):
        class_prompt(["dog", name])


def test_brackets_mark_phrases_and_leave_the_text() -> None:
    prompt = bracketed_phrases("[a small dog] chases [ two black cats ]. It barks")
    assert prompt.text == "a small dog chases  two black cats . It barks"
    assert prompt.names == ("a small dog", "two black cats")
    assert prompt.spans[0] == ((0, 11),)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a small dog . two cats", ("a small dog", "two cats")),
        ("a small dog. two cats.", ("a small dog", "two cats")),
        ("a dog . . a cat .", ("a dog", "a cat")),
        ("the man at 3.5 metres", ("the man at 3.5 metres",)),
        ("The man in red.", ("The man in red",)),
        (" . ", ()),
    ],
)
def test_full_stops_part_phrases(text: str, names: tuple[str, ...]) -> None:
    prompt = separated_phrases(text)
    assert prompt.text == text
    assert prompt.names == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a [small] dog]", "character 3 opens inside another"),
        ("a dog]", "character 5 closes no phrase"),
        ("a [] dog", "closes no phrase"),
        ("a [small dog", "not closed"),
    ],
)
def test_brackets_without_clear_phrases_are_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        bracketed_phrases(text)
