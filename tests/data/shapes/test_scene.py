"""What is drawn is what the scene says."""

import numpy as np
import pytest

from fiber.data.shapes.scene import (
    Look,
    Object,
    Relation,
    Scene,
    Shape,
    Size,
    apart,
    random_look,
    random_scene,
    relation,
)


@pytest.mark.parametrize("image_size", [64, 128])
def test_every_shape_fills_its_box_with_its_colour(image_size: int) -> None:
    rng = np.random.default_rng(0)
    for shape in Shape:
        for size in Size:
            look = Look(random_look(rng).color, shape, size)
            scene = random_scene(rng, [look])
            pixels = np.asarray(scene.render(image_size), dtype=float)
            contrast = np.abs(np.array(look.color.value) - scene.background).sum()
            inside = np.abs(pixels - scene.background).sum(axis=-1) > 0.3 * contrast  # edges are smooth
            rows, columns = np.where(inside.any(axis=1))[0], np.where(inside.any(axis=0))[0]
            drawn = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
            assert drawn == pytest.approx(scene.objects[0].pixel_box(image_size), abs=1), (shape, size)
            assert (pixels == scene.background).all(axis=-1).mean() > 0.8
            centre = (int(scene.objects[0].y * image_size), int(scene.objects[0].x * image_size))
            assert tuple(pixels[centre]) == look.color.value


def test_objects_do_not_touch_and_stay_inside() -> None:
    rng = np.random.default_rng(1)
    for num_objects in range(1, 5):
        objects = random_scene(rng, [random_look(rng) for _ in range(num_objects)]).objects
        assert len(objects) == num_objects
        assert all(0 <= side <= 1 for item in objects for side in item.box)
        assert all(apart(a, b) for i, a in enumerate(objects) for b in objects[:i])


def test_relations_follow_the_larger_distance() -> None:
    look = random_look(np.random.default_rng(0), size=Size.SMALL)
    centre = Object(look, 0.5, 0.5)
    assert relation(Object(look, 0.1, 0.45), centre) is Relation.LEFT_OF
    assert relation(Object(look, 0.9, 0.6), centre) is Relation.RIGHT_OF
    assert relation(Object(look, 0.5, 0.1), centre) is Relation.ABOVE
    assert relation(Object(look, 0.45, 0.9), centre) is Relation.BELOW
    assert relation(Object(look, 0.8, 0.8), centre) is None
    assert all(place.inverse.inverse is place for place in Relation)


def test_a_scene_is_the_same_whenever_it_is_drawn() -> None:
    def draw(seed: int) -> Scene:
        rng = np.random.default_rng(seed)
        return random_scene(rng, [random_look(rng), random_look(rng)])

    assert draw(3) == draw(3) != draw(4)
