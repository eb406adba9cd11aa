"""Pictures of detections."""

import numpy as np
import pytest
import torch
from PIL import Image

from fiber.inference.drawing import (
    MIN_LONG_SIDE,
    PALETTE,
    draw_boxes,
    draw_caption,
    label_color,
    overlap,
    plate_place,
    side_by_side,
)
from fiber.inference.text_layout import text_font

GREY = (128, 128, 128)


def blank(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), GREY)


def extent(image: Image.Image, color: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    """First column and row, and one after the last, that hold the colour."""
    rows, columns = np.nonzero((np.asarray(image) == color).all(axis=2))
    if not len(rows):
        return None
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_boxes_lie_on_their_pixels() -> None:
    drawn = draw_boxes(blank(600, 500), torch.tensor([[100.0, 50.0, 300.0, 400.0]]), [""], [3])
    assert drawn.size == (600, 500)
    assert extent(drawn, label_color(3)) == (100, 50, 300, 400)
    assert drawn.getpixel((200, 200)) == GREY


def test_small_pictures_are_enlarged_with_their_boxes() -> None:
    drawn = draw_boxes(blank(128, 64), torch.tensor([[32.0, 16.0, 64.0, 48.0]]), [""], [0])
    assert drawn.size == (MIN_LONG_SIDE, MIN_LONG_SIDE // 2)
    assert extent(drawn, label_color(0)) == (120, 60, 240, 180)


def test_the_picture_handed_in_stays_as_it_is() -> None:
    image = blank(500, 500)
    draw_boxes(image, torch.tensor([[0.0, 0.0, 500.0, 500.0]]), ["all"], [0])
    assert extent(image, GREY) == (0, 0, 500, 500) and image.getcolors() == [(250000, GREY)]


@pytest.mark.parametrize("box", [(-20, -30, 900, 700), (590, 480, 640, 520), (10, 10, 5, 5), (700, 700, 800, 800)])
def test_boxes_beyond_the_picture_are_drawn_at_its_border(box: tuple[float, ...]) -> None:
    drawn = draw_boxes(blank(600, 500), torch.tensor([box]), ["a name that is long"], [1])
    found = extent(drawn, label_color(1))
    assert found is not None and drawn.size == (600, 500)


def test_a_name_stands_above_its_box_and_within_the_picture() -> None:
    drawn = draw_boxes(blank(600, 500), torch.tensor([[100.0, 200.0, 300.0, 400.0]]), ["dog"], [1])
    without = draw_boxes(blank(600, 500), torch.tensor([[100.0, 200.0, 300.0, 400.0]]), [""], [1])
    rows, columns = np.nonzero((np.asarray(drawn) != np.asarray(without)).any(axis=2))
    assert columns.min() == 100 and 170 < rows.min() < 185 and rows.max() <= 200
    for box in ((0.0, 0.0, 50.0, 50.0), (590.0, 490.0, 600.0, 500.0)):
        place = plate_place(box, (80, 20), (600, 500), [])
        assert place[0] >= 0 and place[1] >= 0 and place[2] <= 600 and place[3] <= 500


def test_names_do_not_cover_one_another_where_there_is_room() -> None:
    box, plates = (100.0, 100.0, 300.0, 300.0), []
    for _ in range(6):
        plates.append(plate_place(box, (80, 20), (600, 500), plates))
    assert all(overlap(one, other) == 0 for i, one in enumerate(plates) for other in plates[:i])
    assert plates[0] == (100, 80, 180, 100)


def test_labels_have_colours_of_their_own() -> None:
    assert len(set(PALETTE)) == 12
    assert label_color(13) == label_color(1)
    gaps = [np.abs(np.subtract(one, other)).sum() for i, one in enumerate(PALETTE) for other in PALETTE[:i]]
    assert min(gaps) >= 80


def test_phrases_have_the_colours_of_their_boxes_below_the_picture() -> None:
    image, text = blank(500, 300), "a small dog chases two cats"
    page = draw_caption(image, text, [[(0, 11)], [(19, 27)]])
    assert page.width == 500 and page.height > 320
    assert np.array_equal(np.asarray(page)[:300], np.asarray(image))
    dog, cats = extent(page, label_color(0)), extent(page, label_color(1))
    assert dog is not None and cats is not None
    assert min(dog[1], cats[1]) > 300 and max(dog[3], cats[3]) <= page.height
    assert dog[2] < cats[0] and cats[2] <= 500
    font = text_font(image.size)
    assert abs((dog[2] - dog[0]) - font.getlength(text[:11])) < font.size


def test_long_captions_are_wrapped() -> None:
    image = blank(500, 300)
    short, long = (draw_caption(image, "two words " * times, []) for times in (1, 40))
    assert long.width == 500 and long.height > short.height + 4 * text_font(image.size).size


def test_pictures_side_by_side_have_one_width_and_their_titles() -> None:
    left, right = Image.new("RGB", (600, 500), (255, 0, 0)), Image.new("RGB", (480, 480), (0, 0, 255))
    sheet = side_by_side(left, right, ("ground truth", "prediction"))
    red, blue = extent(sheet, (255, 0, 0)), extent(sheet, (0, 0, 255))
    assert red is not None and blue is not None
    assert (red[2] - red[0], red[3] - red[1]) == (600, 500)
    assert (blue[2] - blue[0], blue[3] - blue[1]) == (600, 600)
    assert red[1] == blue[1] > 0 and red[2] < blue[0]
    header = np.asarray(sheet)[: red[1]]
    assert (header[:, :600] < 100).any() and (header[:, 600:] < 100).any()
