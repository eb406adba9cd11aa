"""Notebooks run from top to bottom, on models with random weights."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from fiber.checkpoints.model_description import ModelKind
from fiber.inference.captioning import CaptionResult
from fiber.inference.fiber import Fiber
from fiber.inference.matching import MatchResult
from fiber.inference.prediction import Prediction
from fiber.inference.results import GroundingResult

from ..inference.exported_models import write_model
from ..inference.fine_run import write_run

NOTEBOOKS = Path(__file__).parents[2] / "docs/notebooks"


class Cell(NamedTuple):
    kind: str
    source: str
    is_parameters: bool


def cells(name: str) -> list[Cell]:
    """Of a notebook, which must hold no output."""
    book = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in book["cells"])
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    return [
        Cell(cell["cell_type"], "".join(cell["source"]), "parameters" in cell["metadata"].get("tags", ()))
        for cell in book["cells"]
    ]


def run(name: str, **parameters: str) -> dict[str, Any]:
    """What a notebook leaves after its code cells, with other parameters than its own."""
    left: dict[str, Any] = {}
    code = [cell for cell in cells(name) if cell.kind == "code"]
    for place, cell in enumerate(code):
        exec(compile(cell.source, f"{name} [{place}]", "exec"), left)
        if cell.is_parameters:
            assert parameters.keys() <= left.keys()
            left |= parameters
    return left


def drawn(result: Prediction) -> bool:
    return isinstance(result.draw(), Image.Image)


def shorten_captions(file: Path) -> None:
    """Let a model write no more tokens than it has positions for."""
    description = json.loads(file.read_text())
    description["generation"]["max_length"] = 16
    file.write_text(json.dumps(description))


def test_retrieval(tmp_path: Path) -> None:
    left = run("retrieval", CHECKPOINT=str(write_model(tmp_path / "model", ModelKind.RETRIEVAL)))
    assert isinstance(left["result"], MatchResult) and drawn(left["result"])
    assert len(left["found"]) == 8 and left["nearest"].shape == (8, 3)
    assert left["image_embeddings"].norm(dim=1).tolist() == pytest.approx([1.0] * 8, abs=1e-5)


def test_questions_and_statements(tmp_path: Path) -> None:
    answering = write_model(tmp_path / "answering", ModelKind.QUESTION_ANSWERING)
    reasoning = write_model(tmp_path / "reasoning", ModelKind.VISUAL_REASONING)
    left = run("questions_and_statements", CHECKPOINT=str(answering), REASONING_CHECKPOINT=str(reasoning))
    assert drawn(left["answered"]) and len(left["answered"].answers) == 3
    assert len(left["several"]) == 2 and len(left["judged"]) == 4 and drawn(left["judged"][0])


def test_captioning(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", ModelKind.CAPTIONING)
    shorten_captions(model / "config.json")
    left = run("captioning", CHECKPOINT=str(model))
    assert isinstance(left["written"], CaptionResult) and drawn(left["written"])
    assert len(left["sampled"]) == 3


def test_grounding_and_detection(tmp_path: Path) -> None:
    left = run("grounding_and_detection", CHECKPOINT=str(write_run(tmp_path / "fine")))
    assert isinstance(left["model"], Fiber) and isinstance(left["named"], GroundingResult) and drawn(left["named"])
    assert left["given"].names == ("a small cyan cross", "a small yellow triangle") == left["named"].names
    assert len(left["detected"]) == 6 and set(left["detected"][0].to_json()) >= {"detections"}


def test_every_notebook_has_a_test() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} < tested
