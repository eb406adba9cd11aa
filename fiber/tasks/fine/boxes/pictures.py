"""Ground truth beside prediction, for people to look at."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from fiber.data.grounding_batch import EvaluationBatch, Truth
from fiber.detection.postprocessing import Detections
from fiber.detection.prompts import Prompt
from fiber.inference.drawing import draw_boxes, draw_caption, side_by_side
from fiber.tasks.fine.boxes.asking import ImageResult

NUM_PICTURES = 6
"""Of a split."""
MIN_SCORE = 0.3
"""Of a drawn box; where none reaches it the best is drawn."""
MAX_BOXES = 12
MARGIN = 16
"""Pixels between two pictures."""


class BoxPrediction(NamedTuple):
    """One validation image with what it shows and what was found."""

    image: Tensor
    """uint8 3 H W."""
    names: tuple[str, ...]
    """Of the labels."""
    truths: tuple[Truth, ...]
    """Boxes in pixels of `image`."""
    detections: Detections
    """Boxes in pixels of `image`."""
    prompt: Prompt | None
    """The caption; None where classes were asked for."""


def draw_prediction(prediction: BoxPrediction) -> Image.Image:
    """Truth on the left, prediction on the right, the caption's phrases below both."""
    image = Image.fromarray(prediction.image.permute(1, 2, 0).numpy())
    truth_labels = [truth.label for truth in prediction.truths]
    truth_boxes = torch.tensor([truth.box for truth in prediction.truths]).view(-1, 4)
    found = worth_drawing(prediction.detections)
    labels = found.labels.tolist()
    texts = [
        f"{prediction.names[label]} {score:.2f}" for label, score in zip(labels, found.scores.tolist(), strict=True)
    ]
    sides = [
        draw_boxes(image, truth_boxes, [prediction.names[label] for label in truth_labels], truth_labels),
        draw_boxes(image, found.boxes, texts, labels),
    ]
    if prediction.prompt is not None:
        sides = [draw_caption(side, prediction.prompt.text, prediction.prompt.spans) for side in sides]
    return side_by_side(sides[0], sides[1], ("ground truth", "prediction"))


def worth_drawing(detections: Detections) -> Detections:
    """The confident detections, or the best one."""
    return detections.first(max(1, min(MAX_BOXES, int((detections.scores >= MIN_SCORE).sum()))))


def stack_pictures(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures in two columns, each scaled to the width of the widest."""
    width = max(picture.width for picture in pictures)
    pictures = [
        picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
        for picture in pictures
    ]
    rows = [pictures[start : start + 2] for start in range(0, len(pictures), 2)]
    heights = [max(picture.height for picture in row) for row in rows]
    sheet = Image.new("RGB", (2 * width + 3 * MARGIN, sum(heights) + MARGIN * (len(rows) + 1)), "white")
    top = MARGIN
    for row, height in zip(rows, heights, strict=True):
        for column, picture in enumerate(row):
            sheet.paste(picture, (MARGIN + column * (width + MARGIN), top))
        top += height + MARGIN
    return sheet


def stack_rows(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures one below the other."""
    page = Image.new("RGB", (max(one.width for one in pictures), sum(one.height for one in pictures)), "white")
    top = 0
    for one in pictures:
        page.paste(one, (0, top))
        top += one.height
    return page


class PictureGrid:
    """The first images of a split, ground truth beside prediction.

    Args:
        max_boxes: best detections of an image that are drawn.
    """

    def __init__(self, max_boxes: int = MAX_BOXES) -> None:
        self.max_boxes = max_boxes
        self.predictions: list[BoxPrediction] = []

    def begin(self) -> None:
        """Forget the images of an earlier split."""
        self.predictions = []

    def keep(self, batch: EvaluationBatch, found: Sequence[ImageResult]) -> None:
        """Take images of a batch as long as there is room."""
        best = [one._replace(detections=one.detections.first(self.max_boxes)) for one in found]
        self.predictions += pictured(batch, best[: NUM_PICTURES - len(self.predictions)])

    def draw(self) -> Image.Image | None:
        """None where nothing was kept."""
        return stack_pictures([draw_prediction(one) for one in self.predictions]) if self.predictions else None


def pictured(batch: EvaluationBatch, found: Sequence[ImageResult]) -> list[BoxPrediction]:
    """The first images of a batch with what was found, in pixels of the network's input."""
    predictions = []
    for row, result in enumerate(found):
        (height, width), (original_height, original_width) = batch.sizes[row].tolist(), batch.original_sizes[row]
        x, y = width / original_width, height / original_height
        truths = tuple(
            truth._replace(box=(truth.box[0] * x, truth.box[1] * y, truth.box[2] * x, truth.box[3] * y))
            for truth in batch.truths[row]
        )
        image = batch.image[row, :, :height, :width].cpu()
        detections = result.detections.scaled(x, y)
        predictions.append(BoxPrediction(image, result.names, truths, detections, batch.prompts[row]))
    return predictions
