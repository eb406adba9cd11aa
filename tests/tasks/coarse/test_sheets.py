"""Sample predictions as a picture."""

import torch
from PIL import Image

from fiber.tasks.coarse.sheets import (
    MARGIN,
    RIGHT,
    TEXT_WIDTH,
    TILE,
    WRONG,
    SheetLine,
    SheetRow,
    draw_sheet,
    font,
    wrapped,
)


def colors(picture: Image.Image) -> set[tuple[int, int, int]]:
    return {color for _, color in picture.convert("RGB").getcolors(1 << 20) or []}


def test_images_stand_side_by_side_and_verdicts_are_coloured() -> None:
    red, blue = torch.zeros(3, 8, 8, dtype=torch.uint8), torch.zeros(3, 8, 8, dtype=torch.uint8)
    red[0], blue[2] = 255, 255
    right = draw_sheet([SheetRow((red, blue), (SheetLine("yes", verdict=True),))])
    assert right.getpixel((MARGIN + TILE // 2, MARGIN + TILE // 2)) == (255, 0, 0)
    assert right.getpixel((2 * MARGIN + TILE + TILE // 2, MARGIN + TILE // 2)) == (0, 0, 255)
    assert RIGHT in colors(right) and WRONG not in colors(right)
    wrong = draw_sheet([SheetRow((red, blue), (SheetLine("no", verdict=False),))])
    assert WRONG in colors(wrong) and RIGHT not in colors(wrong)


def test_long_texts_are_broken_between_words() -> None:
    text = " ".join(f"word{number}" for number in range(60))
    pieces = wrapped(text)
    assert len(pieces) > 1 and " ".join(pieces) == text
    assert all(font().getlength(piece) <= TEXT_WIDTH for piece in pieces)


def test_a_row_is_as_high_as_its_texts() -> None:
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    short = draw_sheet([SheetRow((image,), (SheetLine("a"),))])
    long = draw_sheet([SheetRow((image,), (SheetLine("a"),) * 30)])
    assert short.height == TILE + 2 * MARGIN < long.height
