"""The user's words for classes."""

from typing import Any

import pytest

from fiber.data.class_wording import worded_classes
from fiber.detection.prompts import ClassPrompt, class_prompt
from fiber.utils.errors import UserError

CLASSES = ("CoW", "chanterelle")
DEFAULT = (ClassPrompt("flat mushroom"), "chanterelle")


def test_without_prompts_the_default_stays() -> None:
    assert worded_classes(CLASSES, DEFAULT, None, reader_name="mushrooms") is DEFAULT


def test_texts_and_mappings_word_classes_in_their_order() -> None:
    prompts = ["big_cow", {"name": "mushroom", "prefix": "a yellow ", "suffix": " in the wood"}]
    worded = worded_classes(CLASSES, DEFAULT, prompts, reader_name="mushrooms")
    assert tuple(worded) == ("big_cow", ClassPrompt("mushroom", "a yellow ", " in the wood"))
    prompt = class_prompt(worded)
    assert prompt.text == "big cow. a yellow mushroom in the wood"
    assert prompt.spans == (((0, 7),), ((18, 26),))
    assert tuple(worded_classes(CLASSES, DEFAULT, [{"name": "a"}, {"name": "b"}], reader_name="mushrooms")) == (
        ClassPrompt("a"),
        ClassPrompt("b"),
    )


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        (["cow"], r"^mushrooms: data\.prompts has 1 entries for 2 classes: .* in the order CoW, chanterelle\.$"),
        (["cow", "b", "c"], "has 3 entries for 2 classes"),
        ("cow", "has one text for 2 classes"),
        (
            ["cow", {"name": "b", "sufix": "c"}],
            r"prompts\[1\] \(chanterelle\): unknown key sufix: choose from name, pre",
        ),
        (["cow", {"prefix": "a "}], r"data\.prompts\[1\] \(chanterelle\) names nothing"),
        ([" ", "b"], r"data\.prompts\[0\] \(CoW\) names nothing"),
        (["cow", 3], r"prompts\[1\] \(chanterelle\): 3 is no prompt: give a text"),
        (["cow", {"name": None}], "is no prompt"),
    ],
)
def test_faults_are_named(prompts: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        worded_classes(CLASSES, DEFAULT, prompts, reader_name="mushrooms")


def test_a_long_list_of_classes_is_shortened() -> None:
    classes = [f"class{number}" for number in range(80)]
    with pytest.raises(UserError, match=r"order class0, .*class9, \.\.\. \(80 in all\)\.$"):
        worded_classes(classes, classes, ["one"], reader_name="many", where="prompts")
