"""Captions that name what is there, and captions that do not."""

from itertools import pairwise

import numpy as np
import pytest

from fiber.data.shapes.caption_check import names_looks
from fiber.data.shapes.captioned_scene import captioned_scene
from fiber.data.shapes.captions import ShapesCaptions
from fiber.data.shapes.scene import Color, Look, Object, Scene, Shape, Size

SCENE = Scene(
    (
        Object(Look(Color.RED, Shape.CIRCLE, Size.SMALL), 0.2, 0.2),
        Object(Look(Color.RED, Shape.CIRCLE, Size.LARGE), 0.2, 0.7),
        Object(Look(Color.BLUE, Shape.CROSS, Size.SMALL), 0.7, 0.2),
    ),
    background=240,
)


@pytest.mark.parametrize(
    "caption",
    [
        "there are two red circles and one blue cross",
        "a small red circle is above a large blue cross",
        "Three BLUE CROSSES, a red circle.",
    ],
)
def test_colour_and_shape_of_everything_are_enough(caption: str) -> None:
    assert names_looks(caption, SCENE)


@pytest.mark.parametrize(
    "caption",
    [
        "",
        "two red circles",
        "a red circle and a blue square",
        "a blue circle and a red cross",
        "a red circle, a blue cross and a green square",
        "a red circle and a blue cross, and a square",
        "a red circle and a blue cross, all black",
        "a red and a blue circle, a blue cross",
        "a red big circle and a blue cross",
    ],
)
def test_nothing_may_be_missing_wrong_or_too_much(caption: str) -> None:
    assert not names_looks(caption, SCENE)


def test_the_worlds_own_captions_are_right_and_those_of_other_scenes_are_not() -> None:
    scenes = [captioned_scene(np.random.default_rng([3, index])) for index in range(200)]
    assert all(names_looks(one.caption, one.scene) for one in scenes)
    assert sum(names_looks(one.caption, other.scene) for one, other in pairwise(scenes)) < 10


def test_the_reader_checks_captions_of_its_images() -> None:
    reader = ShapesCaptions("val", num_samples=3, image_size=32)
    assert [reader.names_looks(index, reader.captions(0)[0]) for index in range(3)] == [True, False, False]
