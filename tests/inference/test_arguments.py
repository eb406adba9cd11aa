"""What callers hand to predictors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiber.inference.arguments import aligned, batches, list_images, list_texts, require_count
from fiber.utils.errors import UserError


def test_one_thing_goes_with_all_and_many_go_with_as_many() -> None:
    assert aligned(images=1, questions=3) == [(0, 0), (0, 1), (0, 2)]
    assert aligned(images=2, questions=2) == [(0, 0), (1, 1)]
    assert aligned(left=2, right=1, statements=2) == [(0, 0, 0), (1, 0, 1)]
    with pytest.raises(UserError, match="3 images, 2 questions: give one for all, or as many of each"):
        aligned(images=3, questions=2)


def test_batches_cover_all_rows() -> None:
    assert [list(range(5))[rows] for rows in batches(5, 2)] == [[0, 1], [2, 3], [4]]
    assert list(batches(0, 2)) == []


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "images is empty"),
        ("cat.jpg", "images is the path 'cat.jpg': open the picture"),
        ([Image.new("RGB", (2, 2)), Path("cat.jpg")], r"images\[1\] is the path 'cat.jpg'"),
        (np.zeros((4, 4, 3)), "images is of type ndarray: give a picture of PIL"),
        (iter([]), "images is of type list_iterator"),
        (Image.new("RGB", (0, 3)), "images has 0 x 3 pixels"),
        ([None], r"images\[0\] is of type NoneType"),
    ],
)
def test_what_is_no_picture_is_named(images: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list_images(images)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "questions is empty"),
        (" ", "questions is blank"),
        (["why?", ""], r"questions\[1\] is blank"),
        ("caf\udce9?", r"questions 'caf\\udce9\?' is no Unicode at character 3"),
        (["why?", 3], r"questions\[1\] is of type int"),
    ],
)
def test_what_is_no_text_is_named(texts: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list_texts(texts, "questions")


@pytest.mark.parametrize("value", [0, -1, 2.0, True])
def test_a_count_is_a_whole_number(value: Any) -> None:
    assert require_count(1, "top_k") == 1
    with pytest.raises(UserError, match=f"top_k={value}: give 1 or more, a whole number"):
        require_count(value, "top_k")


def test_a_picture_of_16_bits_looks_like_that_of_8() -> None:
    levels = np.arange(255, dtype=np.uint8).reshape(15, 17)
    fine = levels.astype(np.uint16) * 257 + 100  # between two levels of 8 bits
    dark, deep = list_images([Image.fromarray(levels), Image.fromarray(fine)], "images")
    assert np.array_equal(np.asarray(dark), np.asarray(deep)) and deep.mode == "RGB"
