"""Precision against recall, drawn."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from fiber.evaluation.detection_ap import RECALLS, CategoryPrecision, DetectionResult, PrecisionCurves

MAX_CATEGORIES = 10
"""More curves in a panel could not be told apart."""
MAX_NAME = 28
"""Characters of a class's name in a legend."""
PANEL = (6.0, 5.2)
"""Width and height in inches."""
LEGEND = 2.2
"""Width beside the panel of the classes."""
DOTS_PER_INCH = 100
COLORS = ("#1d78d2", "#e63946", "#2a9d50", "#eb6414", "#8e44be", "#00a9b8", "#d8348f", "#875a32", "#c79a00", "#5b6570")
"""As many as there can be categories."""


def draw_precision_recall(result: DetectionResult, names: Sequence[str], title: str) -> Image.Image:
    """Curves over all categories by IoU, and those of every category where they are few.

    Args:
        result: with at least one category that is annotated.
        names: of the categories, by their number.
        title: of the picture.
    """
    assert result.curves is not None, "there is nothing to draw"
    few = len(result.by_category) <= MAX_CATEGORIES
    width = PANEL[0] * 2 + LEGEND if few else PANEL[0]
    figure = Figure(figsize=(width, PANEL[1]), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)  # no display is asked for
    figure.suptitle(title, fontsize=13, parse_math=False)
    axes = figure.subplots(1, 2 if few else 1, squeeze=False)[0]
    draw_thresholds(axes[0], result.curves)
    if few:
        draw_categories(axes[1], result.by_category, names)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return Image.open(png).convert("RGB")


def draw_thresholds(axes: Axes, curves: PrecisionCurves) -> None:
    """The mean over categories by IoU."""
    prepare(axes, "all classes")
    draw_curve(axes, curves.iou_50, "IoU 0.5", COLORS[0])
    draw_curve(axes, curves.iou_75, "IoU 0.75", COLORS[1])
    draw_curve(axes, curves.mean, "mean of IoU 0.5 to 0.95", COLORS[2])
    axes.legend(loc="lower left", fontsize=9)


def draw_categories(axes: Axes, categories: dict[int, CategoryPrecision], names: Sequence[str]) -> None:
    """Every category at IoU 0.5."""
    prepare(axes, "every class at IoU 0.5")
    for (category, one), color in zip(categories.items(), COLORS, strict=False):
        draw_curve(axes, one.curves.iou_50, shortened(names[category]), color)
    legend = axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9, frameon=False)  # beside the panel
    for text in legend.get_texts():
        text.set_parse_math(False)  # a class may be named `$`


def prepare(axes: Axes, title: str) -> None:
    """An empty panel."""
    axes.set(title=title, xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def draw_curve(axes: Axes, precision: NDArray[np.float64], name: str, color: str) -> None:
    """One line with its average precision in the legend."""
    axes.plot(RECALLS, precision, color=color, linewidth=1.8, label=f"{name}: AP {precision.mean():.3f}")


def shortened(name: str) -> str:
    """A name that leaves room for the curves."""
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 3]}..."
