"""Sketches show the scene of the solid style in another look, with boxes true to what is drawn."""

from dataclasses import replace

import numpy as np
import pytest

from fiber.data.shapes.detection import ShapesDetection
from fiber.data.shapes.scene import Look, Object, Scene, Shape, Size, random_look
from fiber.data.shapes.sketch import Sketch, sketch
from fiber.utils.errors import UserError


def reader(split: str = "val", *, style: str = "sketch", seed: int = 0) -> ShapesDetection:
    return ShapesDetection(split, num_samples=50, image_size=128, seed=seed, style=style)


def drawn_box(one: Sketch, place: int) -> tuple[float, float, float, float]:
    """xyxy of the pixels that a stroke changes at 128 pixels."""
    alone = np.asarray(replace(one, strokes=one.strokes[place : place + 1]).render(128), dtype=float)
    paper = np.asarray(replace(one, strokes=()).render(128), dtype=float)
    changed = np.abs(alone - paper).max(axis=-1) > 15
    rows, columns = np.where(changed.any(axis=1))[0], np.where(changed.any(axis=0))[0]
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def test_boxes_lie_where_pixels_differ_from_the_paper() -> None:
    sketches = reader()
    for index in range(20):
        for place, labeled in enumerate(sketches.objects(index)):
            assert drawn_box(sketches.sketch(index), place) == pytest.approx(labeled.box, abs=1.2)


def test_strokes_stay_within_the_objects_of_the_scene() -> None:
    sketches, solids = reader(), reader(style="solid")
    for index in range(50):
        assert sketches.scene(index) == solids.scene(index)
        for drawn, solid in zip(sketches.objects(index), solids.objects(index), strict=True):
            assert drawn.class_index == solid.class_index
            left, top, right, bottom = np.array(drawn.box) - solid.box
            assert min(left, top, -right, -bottom) > -1e-9
            assert max(right - left, bottom - top) == pytest.approx(0, abs=1e-9)  # as wide or as high


def test_a_sketch_is_the_same_whenever_it_is_drawn_and_another_for_every_sample() -> None:
    def pixels(split: str, index: int, seed: int = 0) -> bytes:
        return reader(split, seed=seed).load_image(index).tobytes()

    assert pixels("val", 3) == pixels("val", 3)
    others = [pixels("val", 3), pixels("val", 4), pixels("train", 3), pixels("test", 3), pixels("val", 3, seed=1)]
    assert len(set(others)) == len(others)


def test_sketches_are_darker_grainier_and_duller_than_solid_scenes() -> None:
    for index in range(20):
        drawn = np.asarray(reader().load_image(index), dtype=float)
        solid = np.asarray(reader(style="solid").load_image(index), dtype=float)
        assert np.median(drawn) < np.median(solid) - 10
        assert np.abs(np.diff(drawn[:, :, 0], axis=1)).mean() > 3 * np.abs(np.diff(solid[:, :, 0], axis=1)).mean()
        for stroke, item in zip(reader().sketch(index).strokes, reader().scene(index).objects, strict=True):
            assert np.ptp(stroke.color) < 0.7 * np.ptp(item.look.color.value) + 1


def test_every_line_stands_out_from_the_paper() -> None:
    for index in range(50):
        one = reader().sketch(index)
        for stroke in one.strokes:
            assert np.abs(np.array(stroke.color) - one.background).max() > 35
            assert stroke.width * 128 > 1.5


@pytest.mark.parametrize(("shape", "share"), [("circle", 0.785), ("square", 1.0), ("triangle", 0.5), ("cross", 0.64)])
def test_outlines_enclose_as_much_of_their_box_as_the_shape_does(shape: str, share: float) -> None:
    rng = np.random.default_rng(0)
    item = Object(Look(random_look(rng).color, Shape(shape), Size.LARGE), 0.5, 0.5)
    shares = []
    for _ in range(40):
        [stroke] = sketch(Scene((item,), background=255), rng).strokes
        x, y = np.array(stroke.points).T
        area = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
        shares.append(area / (np.ptp(x) * np.ptp(y)))
    assert np.mean(shares) == pytest.approx(share, rel=0.25)  # turning widens the box
    assert min(shares) > 0.6 * share


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(UserError, match="style=oil: give solid or sketch"):
        reader(style="oil")
