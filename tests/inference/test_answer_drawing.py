"""Pictures of answers."""

import numpy as np
from PIL import Image

from fiber.inference.answer_drawing import (
    BLUE,
    GREEN,
    PALE,
    RED,
    Bar,
    Color,
    draw_answers,
    draw_judgement,
    lines_of,
)
from fiber.inference.text_layout import text_font

GREY = (128, 128, 128)


def blank(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), GREY)


def widths(image: Image.Image, color: Color) -> list[int]:
    """Columns of each run of rows that hold the colour."""
    rows = (np.asarray(image) == color).all(axis=2)
    runs, open_run = [], 0
    for count in [*rows.sum(axis=1).tolist(), 0]:
        if count == 0 and open_run:
            runs.append(open_run)
        open_run = max(open_run, count) if count else 0
    return runs


def test_bars_below_the_picture_are_as_long_as_their_shares() -> None:
    bars = [Bar("red", 1.0, "1.00"), Bar("dark blue", 0.5, "0.50"), Bar("green", 0.0, "0.00")]
    drawn = draw_answers(blank(600, 500), "what colour?", bars)
    assert drawn.width == 600 and drawn.height > 560
    assert (np.asarray(drawn)[:500] == GREY).all()
    [best], [second] = widths(drawn, BLUE), widths(drawn, PALE)
    assert 350 < best < 500 and abs(second - best / 2) <= 1


def test_a_narrow_picture_stands_in_the_middle_above_words_that_have_room() -> None:
    drawn = draw_answers(blank(60, 900), "a caption of some words")
    assert drawn.width == 480 and drawn.height < 960
    columns = np.nonzero((np.asarray(drawn)[:900] == GREY).all(axis=(0, 2)))[0]
    assert (columns.min(), columns.max()) == (210, 269)
    assert (np.asarray(drawn)[900:, :200] < 100).any()


def test_more_than_ten_bars_are_counted() -> None:
    bars = [Bar("no", 0.5, "0.50")] * 12
    assert len(widths(draw_answers(blank(500, 500), None, bars), PALE)) in (9, 10)  # the count itself is pale
    ten, twelve = (draw_answers(blank(500, 500), None, bars[:count]) for count in (10, 12))
    assert 0 < twelve.height - ten.height < 30


def test_a_judgement_is_green_or_red() -> None:
    true = draw_judgement(blank(500, 400), blank(200, 400), "both are grey", is_true=True, probability=0.9)
    false = draw_judgement(blank(500, 400), blank(200, 400), "both are red", is_true=False, probability=0.1)
    assert true.width > 1000
    [green], [red] = widths(true, GREEN), widths(false, RED)
    assert green == red and not widths(true, RED) and not widths(false, GREEN)


def test_a_long_text_is_cut_after_three_lines() -> None:
    font = text_font((480, 480))
    lines = lines_of("many words " * 30, font, 200, limit=3)
    assert len(lines) == 3 and lines[-1].endswith("...") and all(font.getlength(line) <= 200 for line in lines)
    assert lines_of("few\nwords", font, 200, limit=3) == lines_of("few\nwords", font, 200) == ["few words"]
    assert "".join(lines_of("many words " * 30, font, 200)).count("many") == 30


def test_below_a_narrow_tower_there_is_room_for_bars() -> None:
    bars = [Bar("a small blue cross is left of a large green square", share, "0.50  cos +0.12") for share in (1.0, 0.5)]
    drawn = draw_answers(Image.new("RGB", (3, 10000)), None, bars)
    assert drawn.width == 480 and 10050 < drawn.height < 10300
