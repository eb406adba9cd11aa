"""Truth beside prediction."""

import numpy as np
import pytest
import torch
from PIL import Image

from fiber.data.grounding_batch import EvaluationBatch, Truth
from fiber.data.records import Box
from fiber.detection.postprocessing import Detections
from fiber.detection.prompts import Prompt
from fiber.inference.drawing import label_color
from fiber.tasks.fine.boxes.asking import ImageResult
from fiber.tasks.fine.boxes.pictures import (
    MARGIN,
    MAX_BOXES,
    BoxPrediction,
    draw_prediction,
    pictured,
    stack_pictures,
    worth_drawing,
)

NAMES = ("cat", "dog")
GREY = 128
CAT: Box = (40.0, 60.0, 200.0, 260.0)
DOG: Box = (300.0, 100.0, 440.0, 280.0)


def detections(*found: tuple[Box, float, int]) -> Detections:
    boxes, scores, labels = zip(*found, strict=True) if found else ((), (), ())
    return Detections(
        torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        torch.tensor(scores, dtype=torch.float32),
        torch.tensor(labels, dtype=torch.int64),
    )


def prediction(
    truths: tuple[Truth, ...] = (), found: Detections | None = None, prompt: Prompt | None = None
) -> BoxPrediction:
    image = torch.full((3, 320, 480), GREY, dtype=torch.uint8)
    return BoxPrediction(image, NAMES, truths, detections() if found is None else found, prompt)


def extent(pixels: np.ndarray, label: int) -> tuple[int, int, int, int] | None:
    """First column and row, and one after the last, that hold a label's colour."""
    rows, columns = np.nonzero((pixels == label_color(label)).all(axis=2))
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None


def halves(picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """The two pictures without the line of titles and the gap."""
    pixels = np.asarray(picture)
    return pixels[-320:, :480], pixels[-320:, -480:]


def test_truth_lies_on_the_left_and_what_was_found_on_the_right() -> None:
    truths = (Truth(0, CAT, False, 1.0),)
    left, right = halves(draw_prediction(prediction(truths, detections((DOG, 0.9, 1)))))
    found, sought = extent(right, 1), extent(left, 0)
    assert sought is not None and found is not None
    # Plates with names lie above the boxes, at their left.
    assert (sought[0], sought[2], sought[3]) == (40, 200, 260) and 30 < sought[1] <= 60
    assert (found[0], found[2], found[3]) == (300, 440, 280) and 70 < found[1] <= 100
    assert extent(left, 1) is None and extent(right, 0) is None


def test_nothing_sought_and_nothing_found_is_the_picture_itself() -> None:
    left, right = halves(draw_prediction(prediction()))
    assert (left == GREY).all() and (right == GREY).all()


def test_a_caption_stands_below_both_in_the_colours_of_its_boxes() -> None:
    prompt = Prompt("a cat beside a dog", (((0, 5),), ((13, 18),)))
    without, with_caption = (draw_prediction(prediction(prompt=one)) for one in (None, prompt))
    added = with_caption.height - without.height
    assert added > 15
    below = np.asarray(with_caption)[-added:]
    for side in (below[:, :480], below[:, -480:]):
        first, second = extent(side, 0), extent(side, 1)
        assert first is not None and second is not None and first[2] < second[0]


@pytest.mark.parametrize(
    ("scores", "drawn"),
    [([0.9, 0.3, 0.29], 2), ([0.2, 0.1], 1), ([], 0), ([0.9] * 30, MAX_BOXES)],
)
def test_confident_detections_are_drawn_or_else_the_best(scores: list[float], drawn: int) -> None:
    kept = worth_drawing(detections(*[(CAT, score, 0) for score in scores]))
    assert kept.scores.tolist() == pytest.approx(scores[:drawn])
    assert len(kept.boxes) == len(kept.labels) == drawn


def test_boxes_are_drawn_where_the_network_s_input_shows_them() -> None:
    truth, prompt = Truth(0, (10.0, 20.0, 40.0, 60.0), False, 1.0), None
    image = torch.arange(3 * 96 * 64, dtype=torch.int64).remainder(251).to(torch.uint8).view(1, 3, 96, 64)
    batch = EvaluationBatch(image, torch.tensor([[80, 60]]), ((160, 240),), (prompt,), ((truth,),), (0,))
    found = detections(((100.0, 40.0, 240.0, 160.0), 0.5, 1))
    (seen,) = pictured(batch, [ImageResult(0, found, NAMES)])
    assert seen.image.equal(image[0, :, :80, :60])  # without the padding
    assert seen.truths[0].box == (2.5, 10.0, 10.0, 30.0)
    assert seen.detections.boxes.tolist() == [[25, 20, 60, 80]]
    assert seen.names == NAMES


def test_pictures_of_any_size_fill_two_columns() -> None:
    sizes, colors = [(100, 50), (50, 50), (100, 30)], [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    sheet = np.asarray(
        stack_pictures([Image.new("RGB", size, color) for size, color in zip(sizes, colors, strict=True)])
    )
    # The second is enlarged to the width of the widest, and the rows are as high as their highest.
    assert sheet.shape == (100 + 30 + 3 * MARGIN, 200 + 3 * MARGIN, 3)
    places = [(MARGIN, MARGIN, 100, 50), (2 * MARGIN + 100, MARGIN, 100, 100), (MARGIN, 2 * MARGIN + 100, 100, 30)]
    for (left, top, width, height), color in zip(places, colors, strict=True):
        rows, columns = np.nonzero((sheet == color).all(axis=2))
        assert (columns.min(), rows.min()) == (left, top)
        assert (columns.max() + 1 - left, rows.max() + 1 - top) == (width, height)
