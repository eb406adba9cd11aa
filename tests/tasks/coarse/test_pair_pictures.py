"""The sheet of sample predictions."""

import numpy as np
import torch

from fiber.tasks.coarse.pair_pictures import (
    MARGIN,
    RIGHT,
    TILE,
    WRONG,
    FilledWord,
    PairPrediction,
    RetrievedCaption,
    draw_pairs,
)


def prediction(*, right: bool, color: tuple[int, int, int]) -> PairPrediction:
    image = torch.tensor(color, dtype=torch.uint8)[:, None, None].expand(3, 32, 32)
    words = (FilledWord(" a", masked=False, right=True), FilledWord(" circle", masked=True, right=right))
    return PairPrediction(image, words, (RetrievedCaption("a red circle", right),))


def has_color(pixels: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool((pixels == np.array(color)).all(-1).any())


def test_each_pair_gets_its_image_and_right_or_wrong_ink() -> None:
    colors = ((200, 0, 200), (0, 200, 200))
    sheet = np.asarray(draw_pairs([prediction(right=True, color=colors[0]), prediction(right=False, color=colors[1])]))
    row = TILE + MARGIN
    assert sheet.shape[0] == 2 * row + MARGIN
    for index, color in enumerate(colors):
        assert tuple(sheet[MARGIN + index * row + TILE // 2, MARGIN + TILE // 2]) == color
    first, second = sheet[: MARGIN + row, TILE + MARGIN :], sheet[MARGIN + row :, TILE + MARGIN :]
    assert has_color(first, RIGHT) and not has_color(first, WRONG)
    assert has_color(second, WRONG) and not has_color(second, RIGHT)


def test_a_long_caption_goes_on_in_the_next_line() -> None:
    words = tuple(FilledWord(f" word{i}", masked=True, right=True) for i in range(40))
    long = prediction(right=True, color=(9, 9, 9))._replace(filled=words, retrieved=())
    inked = (np.asarray(draw_pairs([long])) == np.array(RIGHT)).all(-1).any(axis=1)
    text_lines = int((np.diff(inked.astype(int)) == 1).sum())
    assert text_lines >= 3
