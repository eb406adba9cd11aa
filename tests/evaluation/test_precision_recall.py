"""Curves of precision against recall."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fiber.evaluation.detection_ap import CategoryPrecision, DetectionResult, PrecisionCurves
from fiber.evaluation.precision_recall import COLORS, MAX_CATEGORIES, draw_categories, draw_precision_recall

RED, GREEN, BLUE = ((230, 57, 70), (42, 157, 80), (29, 120, 210))  # IoU 0.75, mean, IoU 0.5


def level(precision: float) -> np.ndarray:
    return np.full(101, precision)


def result(num_categories: int) -> DetectionResult:
    curves = PrecisionCurves(iou_50=level(0.9), iou_75=level(0.5), mean=level(0.25))
    return DetectionResult({}, {category: CategoryPrecision(3, curves) for category in range(num_categories)})


def heights(picture: Image.Image, color: tuple[int, int, int]) -> float:
    """Row of the longest horizontal line of a colour, counted from above, of the picture's height."""
    pixels = np.asarray(picture).astype(int)
    close = np.abs(pixels - np.array(color)).max(axis=2) < 10
    return float(close.sum(axis=1).argmax() / len(pixels))


def test_higher_precision_lies_higher() -> None:
    picture = draw_precision_recall(result(MAX_CATEGORIES + 1), ["cat"] * 11, "shapes")
    assert heights(picture, BLUE) < heights(picture, RED) < heights(picture, GREEN)


def test_a_panel_shows_the_classes_where_they_are_few() -> None:
    few = draw_precision_recall(result(MAX_CATEGORIES), ["cat"] * 10, "shapes")
    many = draw_precision_recall(result(MAX_CATEGORIES + 1), ["cat"] * 11, "shapes")
    assert few.height == many.height and few.width > 2 * many.width
    assert len(set(COLORS)) >= MAX_CATEGORIES


def test_every_class_is_in_the_legend_with_its_average_precision() -> None:
    axes = Figure().subplots()
    categories = {
        place: CategoryPrecision(1, PrecisionCurves(level(value), level(0), level(0)))
        for place, value in ((0, 0.25), (2, 1.0))
    }
    draw_categories(axes, categories, ["a cat", "unseen", "$\\frac$ " + 30 * "x"])
    legend = axes.get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[0] == "a cat: AP 0.250" and texts[1].endswith("x...: AP 1.000") and len(texts) == 2


def test_names_that_look_like_formulas_are_drawn_as_they_are() -> None:
    draw_precision_recall(result(1), ["$\\frac$"], "$\\frac$")


def test_without_annotations_there_is_nothing_to_draw() -> None:
    with pytest.raises(AssertionError, match="nothing to draw"):
        draw_precision_recall(result(0), [], "shapes")
