"""`scripts/predict.py` asks what `scripts/train.py` has trained."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fiber.data.shapes.phrases import ShapesPhrases

from .conftest import ROOT, environment, training_command

SMALL_DATA = ("data.train.0.num_samples=32", "data.train.1.num_samples=32", "data.max_val_samples=8")


def call(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=600)


def predict(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return call([sys.executable, str(ROOT / "scripts" / "predict.py"), *overrides], folder)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a fine run of one step, and a picture."""
    folder = tmp_path_factory.mktemp("trained")
    fast = ("stage=fine", "experiment=demo", "debug=fast", "run_dir=run", "logger=csv", *SMALL_DATA)
    result = call(training_command(*fast), folder)
    assert result.returncode == 0, result.stderr[-2000:]
    ShapesPhrases("val", num_samples=1, image_size=128).load_image(0).save(folder / "shapes (1).png")
    return folder


def test_phrases_in_brackets_are_asked_for(trained: Path) -> None:
    # What a shell makes of text="[a small dog] chases [two black cats]"
    text = "text=[a small dog] chases [two black cats]"
    result = predict(trained, "task=ground", "checkpoint=run", "image=shapes (1).png", text, "score_threshold=0")
    assert result.returncode == 0, result.stderr[-2000:]
    assert "shapes (1).png: " in result.stdout and "outputs/predictions/shapes (1).png" in result.stdout
    (content,) = lines(trained / "outputs/predictions")
    assert list(content) == ["image", "size", "text", "phrases", "phrase_source", "detections", "drawing"]
    assert (content["size"], content["text"]) == ([128, 128], "a small dog chases two black cats")
    assert (trained / "outputs/predictions/shapes (1).png").is_file()


def test_class_lists_say_how_many_prompts_they_take(trained: Path) -> None:
    names = [f"class number {index}" for index in range(40)]
    (trained / "names.txt").write_text("\n".join(names))
    asked = ("task=detect", "classes_file=names.txt", "output=boxes")
    result = predict(trained, "checkpoint=run/checkpoints/last.ckpt", "image=*.png", *asked)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "40 classes are asked for in " in result.stdout + result.stderr
    assert lines(trained / "boxes")[0]["classes"] == names


def test_broken_pictures_show_in_the_exit_code(trained: Path) -> None:
    (trained / "bad.png").write_bytes(b"no picture")
    asked = ("task=detect", "checkpoint=run", "classes=[what's red?,traffic light]", "output=some")
    result = predict(trained, "image=[bad.png,shapes (1).png]", *asked)
    assert result.returncode == 1
    assert result.stderr.startswith("left out: bad.png: ") and result.stderr.count("\n") == 1
    (content,) = lines(trained / "some")
    assert (content["image"], content["classes"]) == ("shapes (1).png", ["what's red?", "traffic light"])
    (trained / "bad.png").unlink()


def test_wrong_input_ends_in_one_message(trained: Path) -> None:
    result = predict(trained, "task=answer", "checkpoint=run", "image=shapes (1).png", "text=what's it? [a], {b}")
    assert result.returncode == 2
    assert "run is a model of kind detector, which cannot answer but ground, detect. Train one that" in result.stderr
    assert result.stderr.count("\n") == 1
