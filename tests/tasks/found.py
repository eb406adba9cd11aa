"""What an evaluation of the fine stage has found, from the files that it leaves behind."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RESULT_FILES = ("coco_results.json", "lvis_results.json", "referring_results.json", "flickr30k_predictions.json")
"""One of them is in every folder."""


def num_boxes(folder: Path) -> int:
    """Boxes in the result file of an evaluation."""
    [file] = [folder / name for name in RESULT_FILES if (folder / name).is_file()]
    return sum(1 for _ in boxes(json.loads(file.read_text())))


def boxes(content: Any) -> Iterator[list[float]]:
    """All boxes, however deep in the records."""
    if isinstance(content, list):
        for one in content:
            yield from boxes(one)
    elif isinstance(content, dict):
        yield from ([content["bbox"]] if "bbox" in content else content.get("boxes", []))
        yield from boxes(content.get("phrases", []))


def partial(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics of which neither nothing nor everything would give the value."""
    return {name: value for name, value in metrics.items() if 0 < value < 1}
