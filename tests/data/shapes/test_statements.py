"""Statements about shapes are decided by images and text together."""

import re
from collections import Counter

import pytest

from fiber.data.shapes.scene import Scene
from fiber.data.shapes.statements import ShapesStatements, StatedScenes


@pytest.fixture(scope="module")
def samples() -> list[StatedScenes]:
    reader = ShapesStatements("train", num_samples=2000, image_size=64)
    return [reader.sample(index) for index in range(2000)]


def looks(scene: Scene) -> Counter[tuple[str, str]]:
    return Counter((item.look.color.word, str(item.look.shape)) for item in scene.objects)


def share_of_true(samples: list[StatedScenes]) -> float:
    return sum(sample.is_true for sample in samples) / len(samples)


@pytest.mark.parametrize("word", ["red", "circle", "both", "crosses", "more"])
def test_words_alone_tell_nothing(samples: list[StatedScenes], word: str) -> None:
    said = [sample for sample in samples if word in sample.statement.split()]
    assert len(said) > 80 and abs(share_of_true(said) - 0.5) < 0.13


def test_images_of_a_presence_share_one_object_whether_it_is_true_or_not(samples: list[StatedScenes]) -> None:
    for sample in samples:
        if sample.statement.startswith("both"):
            left, right = looks(sample.left), looks(sample.right)
            stated = re.findall(r"a \w+ (\w+) (\w+)$", sample.statement)[0]
            assert sum((left & right).values()) == 1
            assert stated in left | right
            assert sample.is_true == (stated in left & right)


def test_images_of_a_comparison_exchange_their_counts_whether_it_is_true_or_not(samples: list[StatedScenes]) -> None:
    for sample in samples:
        if sample.statement.startswith("there"):
            left, right = (Counter(shape for _, shape in looks(one).elements()) for one in (sample.left, sample.right))
            shapes = sorted(left | right)
            assert 1 <= len(shapes) <= 2
            assert sorted(left[shape] for shape in shapes) == sorted(right[shape] for shape in shapes)
            assert left != right


def test_every_statement_has_an_identifier_of_its_own() -> None:
    reader = ShapesStatements("val", num_samples=100, image_size=64)
    assert len({reader.statement(index).identifier for index in range(100)}) == 100
    assert reader.statement(7).identifier == "val-7"
