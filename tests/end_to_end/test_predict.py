"""`scripts/predict.py` as it is typed."""

import json
from pathlib import Path
from typing import Any

import pytest

from fiber.data.shapes.phrases import ShapesPhrases

from ..inference.fine_run import write_run
from .scripts import run_script

PICTURE = "shapes (1).png"


@pytest.fixture(scope="module")
def fine_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a fine run; only to be read."""
    return write_run(tmp_path_factory.mktemp("runs") / "fine")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a picture."""
    ShapesPhrases("val", num_samples=1, image_size=128).load_image(0).save(tmp_path / PICTURE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(folder: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(folder) / "predictions.jsonl").read_text().splitlines()]


def test_phrases_in_brackets_are_asked_for(
    fine_run: Path, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # What a shell makes of text="[a small dog] chases [two black cats]"
    asked = ["task=ground", f"image={PICTURE}", "text=[a small dog] chases [two black cats]", "device=cpu"]
    assert run_script(["scripts/predict.py", f"checkpoint={fine_run}", *asked], monkeypatch) == 0
    assert f"{PICTURE}: " in capsys.readouterr().out
    (content,) = lines("outputs/predictions")
    assert content["text"] == "a small dog chases two black cats"
    assert [phrase["text"] for phrase in content["phrases"]] == ["a small dog", "two black cats"]
    assert sorted(path.name for path in here.iterdir()) == ["outputs", PICTURE]


def test_the_status_tells_a_broken_picture_from_a_wrong_command(
    fine_run: Path, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.png").write_bytes(b"no picture")
    command = ["scripts/predict.py", f"checkpoint={fine_run}", "device=cpu"]
    asked = [f"image=[bad.png,{PICTURE}]", "task=detect", "classes=[what's red?,traffic light]", "output=some"]
    assert run_script([*command, *asked], monkeypatch) == 1
    said = capsys.readouterr().err
    assert said.startswith("left out: bad.png: ") and said.count("\n") == 1
    (content,) = lines("some")
    assert (content["image"], content["classes"]) == (PICTURE, ["what's red?", "traffic light"])
    wrong = ["task=answer", f"image={PICTURE}", "text=what's it? [a], {b}"]
    assert run_script([*command, *wrong], monkeypatch) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {fine_run} is a model of kind detector, which cannot answer but ground, detect.")
    assert said.count("\n") == 1


def test_ctrl_c_ends_with_one_line(
    fine_run: Path, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fiber.inference.predicting.read_image", interrupted)
    asked = ["task=detect", f"image={PICTURE}", "classes=[dog]", "device=cpu"]
    assert run_script(["scripts/predict.py", f"checkpoint={fine_run}", *asked], monkeypatch) == 130
    assert capsys.readouterr().err == "interrupted: 0 predictions kept\n"
    assert not Path("outputs").exists()
