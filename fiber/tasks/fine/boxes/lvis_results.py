"""Files that an evaluation on LVIS leaves behind.

Axes: K detections.
"""

import csv
import io
import json
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.task_readers import FederatedReader
from fiber.evaluation.lvis import NO_FIGURE
from fiber.evaluation.lvis_boxes import ScoredBoxes

BLOCK = 10_000
"""Detections written at a time: as Python objects all of them would take gigabytes."""


def official_results(reader: FederatedReader, found: ScoredBoxes) -> str:
    """The detections in LVIS' result format, a line each: image_id, category_id, bbox (x, y, width, height), score."""
    rows = (np.arange(start, min(start + BLOCK, len(found))) for start in range(0, len(found), BLOCK))
    blocks = (",\n".join(result_lines(reader, found.select(some))) for some in rows)
    return "[" + ",\n".join(blocks) + "]\n"


def result_lines(reader: FederatedReader, found: ScoredBoxes) -> Iterator[str]:
    """A line for every detection."""
    image_ids = {image: int(reader.image_id(image)) for image in np.unique(found.image).tolist()}
    corners = found.boxes.astype(np.float64)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    columns = (found.image.tolist(), found.class_index.tolist(), boxes.tolist(), found.scores.tolist())
    for image, class_index, box, score in zip(*columns, strict=True):
        category_id = reader.category_ids[class_index]
        yield json.dumps({"image_id": image_ids[image], "category_id": category_id, "bbox": box, "score": score})


def class_table(reader: FederatedReader, precision: NDArray[np.float64]) -> str:
    """Average precision of every class as csv; empty where no object of it was to be found."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["class", "frequency", "AP"])
    for name, frequency, value in zip(reader.classes, reader.frequencies, precision.tolist(), strict=True):
        writer.writerow([name, frequency, "" if value == NO_FIGURE else value])
    return file.getvalue()
