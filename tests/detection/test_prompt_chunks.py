"""Long class lists as several prompts."""

from collections.abc import Callable

import pytest

from fiber.detection.prompt_chunks import chunk_classes
from fiber.detection.prompts import ClassPrompt, class_prompt
from fiber.utils.errors import UserError

CLASSES = ["dog", "traffic_light", "cat", "hot_dog", "person_(adult)", "zebra", "red_panda"] * 20


@pytest.mark.parametrize("token_budget", [5, 12, 30, 256])
def test_chunks_hold_every_class_once_and_fit_exactly(count_tokens: Callable[[str], int], token_budget: int) -> None:
    chunks = chunk_classes(CLASSES, count_tokens=count_tokens, token_budget=token_budget)
    assert [index for chunk in chunks for index in chunk.classes] == list(range(len(CLASSES)))
    for chunk, following in zip(chunks, [*chunks[1:], None], strict=True):
        names = [CLASSES[index] for index in chunk.classes]
        assert chunk.prompt == class_prompt(names)
        assert chunk.num_tokens == count_tokens(chunk.prompt.text) + 2 <= token_budget
        if following is not None:  # one class more would not fit
            longer = class_prompt([*names, CLASSES[following.classes.start]])
            assert count_tokens(longer.text) + 2 > token_budget


def test_the_number_of_classes_per_chunk_can_be_limited(count_tokens: Callable[[str], int]) -> None:
    chunks = chunk_classes(CLASSES, count_tokens=count_tokens, max_classes=40)
    assert [chunk.classes for chunk in chunks] == [range(0, 40), range(40, 80), range(80, 120), range(120, 140)]


def test_worded_classes_are_kept(count_tokens: Callable[[str], int]) -> None:
    worded = [ClassPrompt("hand", suffix=" of a person"), "foot"]
    (chunk,) = chunk_classes(worded, count_tokens=count_tokens)
    assert chunk.prompt.text == "hand of a person. foot"
    assert chunk_classes([], count_tokens=count_tokens) == []


def test_a_class_that_names_nothing_is_named_by_its_number_in_the_whole_list(
    count_tokens: Callable[[str], int],
) -> None:
    classes = ["dog", "cat", "owl", "ant", "(fish)"]
    message = r"class 4 \('\(fish\)'\) names nothing: word it with data\.prompts=\[\.\.\.\]"
    with pytest.raises(UserError, match=message):
        chunk_classes(classes, count_tokens=count_tokens, max_classes=2)


def test_a_class_longer_than_the_budget_is_named(count_tokens: Callable[[str], int]) -> None:
    with pytest.raises(UserError, match=r"class 1 \('a b c d'\) alone needs 6 of 5 tokens"):
        chunk_classes(["dog", "a_b_c_d"], count_tokens=count_tokens, token_budget=5)
    with pytest.raises(UserError, match=r"class 1 \('(a ){20}\.\.\.'\) .* data\.prompts.* max_text_length"):
        chunk_classes(["dog", "a " * 50], count_tokens=count_tokens, token_budget=5)
    with pytest.raises(UserError, match="max_classes=0"):
        chunk_classes(["dog"], count_tokens=count_tokens, max_classes=0)
    with pytest.raises(UserError, match="token_budget=1"):
        chunk_classes(["dog"], count_tokens=count_tokens, token_budget=1)
