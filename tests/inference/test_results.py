"""What was found, for people and programs."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from fiber.detection.postprocessing import Detections
from fiber.inference.drawing import label_color
from fiber.inference.phrases.text_phrases import choose_phrases
from fiber.inference.results import GroundingResult

IMAGE = Image.new("RGB", (600, 500), (128, 128, 128))
FOUND = Detections(
    torch.tensor([[10.126, 20.0, 300.0, 400.0], [50.0, 60.0, 70.0, 80.0], [0.0, 0.0, 5.0, 5.0]]),
    torch.tensor([0.93456, 0.5, 0.2]),
    torch.tensor([1, 0, 1]),
)
TEXT = choose_phrases("a small dog chases two cats")


def result(**limits: float) -> GroundingResult:
    settings = {"score_threshold": 0.3, "max_detections": 10} | limits
    return GroundingResult.collect(IMAGE, FOUND, TEXT.prompt.names, TEXT, **settings)  # type: ignore[arg-type]


def test_detections_are_named_and_those_below_the_threshold_or_beyond_the_limit_left_out() -> None:
    assert [(one.label, one.name) for one in result().detections] == [(1, "two cats"), (0, "a small dog")]
    assert result().detections[0].score == pytest.approx(0.93456)
    assert len(result(score_threshold=0.5).detections) == 2  # the threshold itself counts
    assert len(result(score_threshold=0.0).detections) == 3
    assert [one.label for one in result(score_threshold=0.0, max_detections=1).detections] == [1]


def test_json_is_flat_and_rounded() -> None:
    content = json.loads(json.dumps(result(max_detections=1).to_json()))
    assert content == {
        "height": 500,
        "width": 600,
        "text": "a small dog chases two cats",
        "phrases": [{"text": "a small dog", "spans": [[0, 11]]}, {"text": "two cats", "spans": [[19, 27]]}],
        "phrase_source": "noun_phrases",
        "detections": [{"label": 1, "name": "two cats", "score": 0.9346, "box": [10.13, 20.0, 300.0, 400.0]}],
    }
    classes = GroundingResult(IMAGE, ("cat", "dog"), ())
    assert classes.to_json() == {"height": 500, "width": 600, "classes": ["cat", "dog"], "detections": []}


def test_as_text_the_best_come_first_and_many_are_cut() -> None:
    assert str(result()).splitlines()[:2] == ["2 found", "  two cats 0.93 [10.1, 20.0, 300.0, 400.0]"]
    assert str(result(score_threshold=0.95)) == "nothing found of a small dog, two cats"
    many = GroundingResult(IMAGE, ("cat",), result().detections * 11)
    assert len(str(many).splitlines()) == 22 and str(many).endswith("\n  and 2 more")


def test_boxes_are_drawn_where_they_are_and_the_text_below_the_picture() -> None:
    drawn = result().draw()
    assert drawn.width == 600 and drawn.height > 520
    rows, columns = np.nonzero((np.asarray(drawn)[:500] == label_color(1)).all(axis=2))
    assert (columns.min(), columns.max() + 1, rows.max() + 1) == (10, 300, 400)
    assert (np.asarray(drawn)[500:] == label_color(0)).all(axis=2).any()
    assert GroundingResult(IMAGE, ("cat",), ()).draw().size == (600, 500)
    assert IMAGE.getcolors() == [(300000, (128, 128, 128))]
