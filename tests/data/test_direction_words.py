"""Left and right in captions of flipped images."""

import json
from pathlib import Path

import pytest

from fiber.data.direction_words import names_direction, swap_directions


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("a dog left of a cat", "a dog right of a cat"),
        ("Left or right, LEFT or RIGHT", "Right or left, RIGHT or LEFT"),
        ("the leftmost and the right-most", "the rightmost and the left-most"),
        ("Left-hand side, righthand man, a right-handed batter", "Right-hand side, lefthand man, a left-handed batter"),
        ("a copyright, bright light, leftovers of lefts", "a copyright, bright light, leftovers of lefts"),
        ("no direction", "no direction"),
        ("", ""),
    ],
)
def test_whole_words_are_swapped_in_their_case(text: str, swapped: str) -> None:
    assert swap_directions(text, [])[0] == swapped
    assert swap_directions(swapped, [])[0] == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("the Left image", True),
        ("right-handed", True),
        ("leftmost", True),
        ("leftovers are bright", False),
        ("", False),
    ],
)
def test_texts_that_tell_left_from_right_are_known(text: str, told: bool) -> None:
    assert names_direction(text) is told


def test_spans_move_with_their_words() -> None:
    text = "the left dog, the rightmost cat and a bird at right"
    phrases = ["the left dog", "left", "dog", "the rightmost cat", "rightmost", "cat", "a bird", "right"]
    spans = [(text.rindex(phrase), text.rindex(phrase) + len(phrase)) for phrase in phrases]
    spans[1] = (4, 8)
    swapped, moved = swap_directions(text, spans)
    assert swapped == "the right dog, the leftmost cat and a bird at left"
    assert [swapped[start:end] for start, end in moved] == [
        "the right dog",
        "right",
        "dog",
        "the leftmost cat",
        "leftmost",
        "cat",
        "a bird",
        "left",
    ]


def test_spans_that_end_within_a_word_take_in_all_of_it() -> None:
    swapped, (first, second) = swap_directions("my right, left", [(0, 5), (5, 14)])
    assert swapped[slice(*first)] == "my left"
    assert swapped[slice(*second)] == "left, right"


def test_real_captions_come_back_when_swapped_twice(shared: Path) -> None:
    content = json.loads((shared / "data/mini/mdetr_annotations/finetune_refcoco_testA.json").read_text())
    captions = [image["caption"] for image in content["images"]]
    changed = 0
    for caption in captions:
        spans = [(start, min(start + 7, len(caption))) for start in range(len(caption)) if caption[start] == " "]
        swapped, moved = swap_directions(caption, [(0, len(caption)), *spans])
        assert moved[0] == (0, len(swapped))
        assert swap_directions(swapped, moved)[0] == caption
        changed += swapped != caption
    assert 0 < changed < len(captions)
