"""Predictions for the pictures that a configuration names."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiber.inference.grounding import GroundingModel
from fiber.inference.image_files import read_image
from fiber.inference.predicting import predict, read_names
from fiber.inference.results import GroundingResult
from fiber.utils.errors import UserError

from .fine_run import CONFIGS, composed

TEXT = "text='[a red circle] above [two squares]'"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with two pictures of one name."""
    for seed, name in enumerate(("one/cat.png", "two/cat.png")):
        pixels = np.random.default_rng(seed).integers(0, 256, (70 + seed, 90, 3), dtype=np.uint8)
        (tmp_path / name).parent.mkdir()
        Image.fromarray(pixels).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*overrides: str) -> list[GroundingResult]:
    return predict(composed("predict", "device=cpu", *overrides, folder=CONFIGS / "predict"))


def test_every_picture_has_its_own_json_and_drawing(
    fine_run: Path, here: Path, model: GroundingModel, capsys: pytest.CaptureFixture[str]
) -> None:
    results = run("task=ground", f"checkpoint={fine_run}", "image='*/cat.png'", TEXT, "max_detections=3")
    folder = here / "outputs" / "predictions"
    assert sorted(path.name for path in folder.iterdir()) == ["cat-2.json", "cat-2.png", "cat.json", "cat.png"]
    printed = capsys.readouterr().out
    for name, stem, result in zip(("one/cat.png", "two/cat.png"), ("cat", "cat-2"), results, strict=True):
        expected = model.ground(read_image(here / name), "[a red circle] above [two squares]")
        assert [one.score for one in result.detections] == [one.score for one in expected.detections][:3]
        content = json.loads((folder / f"{stem}.json").read_text())
        assert content == {"image": name, **result.to_json()}
        assert len(content["detections"]) == 3
        drawn = read_image(folder / f"{stem}.png")
        assert np.array_equal(np.asarray(drawn), np.asarray(result.draw()))
        assert f"{name}: 3 found" in printed and f"outputs/predictions/{stem}.png" in printed
        assert f"{result.detections[0].name} {result.detections[0].score:.2f} [" in printed


def test_classes_come_from_the_command_line_or_a_file(
    fine_run: Path, here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"red circle {number}" for number in range(20)]
    Path("names.txt").write_text("\n".join(["", *names, " "]))
    asked = ("task=detect", f"checkpoint={fine_run}/checkpoints/best.ckpt", "image=[one/cat.png]")
    with caplog.at_level(logging.WARNING):
        first = run(*asked, "classes_file=names.txt", "output=first")
    assert "20 classes are asked for in" in caplog.text
    second = run(*asked, f"classes=[{','.join(names)}]", "output=second")
    assert Path("first/cat.json").read_text() == Path("second/cat.json").read_text()
    assert first[0].names == tuple(names) and first[0].detections == second[0].detections
    single = run(*asked, "classes=7", "short_side=32", "output=third")
    assert single[0].names == ("7",) and json.loads(Path("third/cat.json").read_text())["classes"] == ["7"]


def test_long_lists_are_printed_in_part(fine_run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run("task=ground", f"checkpoint={fine_run}", "image=one/cat.png", TEXT)[0]
    lines = capsys.readouterr().out.splitlines()
    number = len(result.detections)
    assert number > 20 and lines[0] == f"one/cat.png: {number} found"
    assert lines[20] == f"  {result.detections[19]}" and lines[21] == f"  and {number - 20} more"
    assert len(json.loads(Path("outputs/predictions/cat.json").read_text())["detections"]) == number


def test_a_picture_in_which_nothing_is_found_is_written_too(
    fine_run: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("task=ground", f"checkpoint={fine_run}", "image=one/cat.png", TEXT, "score_threshold=0.99")
    assert "one/cat.png: nothing with a score of 0.99 or more" in capsys.readouterr().out
    assert json.loads(Path("outputs/predictions/cat.json").read_text())["detections"] == []
    assert Path("outputs/predictions/cat.png").is_file()


GROUND, DETECT, PICTURE = ("task=ground", TEXT), ("task=detect", "classes=[dog]"), "image=one/cat.png"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((TEXT, PICTURE), "task=None is not one of ground, detect"),
        (("task=paint", TEXT, PICTURE), "task=paint is not one of ground, detect"),
        (("task=ground", PICTURE), "task=ground takes a text and no classes: give text="),
        ((*GROUND, "classes=[dog]", PICTURE), "task=ground takes a text and no classes"),
        ((*GROUND, "classes_file=a.txt", PICTURE), "task=ground takes a text and no classes"),
        (("task=detect", PICTURE), "task=detect takes classes and no text: give classes="),
        ((*DETECT, TEXT, PICTURE), "task=detect takes classes and no text"),
        ((*DETECT, "classes_file=a.txt", PICTURE), "classes and classes_file=a.txt are both given"),
        (("task=detect", "classes_file=a.txt", PICTURE), "classes_file=a.txt cannot be read"),
        (GROUND, "image is missing"),
        ((*GROUND, "image=absent.jpg"), "image=absent.jpg does not exist"),
        ((*GROUND, PICTURE, "checkpoint=null"), "checkpoint is missing"),
        ((*GROUND, PICTURE, "checkpoint=nowhere"), "checkpoint=nowhere does not exist"),
        ((*GROUND, PICTURE, "device=tpu"), "device=tpu: give auto, cpu or cuda"),
        ((*GROUND, PICTURE, "score_threshold=high"), "score_threshold='high': give float"),
        ((*GROUND, PICTURE, "output=one"), "output=one would overwrite the picture one/cat.png"),
        (("task=ground", "text='[a dog'", PICTURE), r"a '\[' is not closed"),
    ],
)
def test_one_message_says_what_to_type_and_nothing_is_written(
    fine_run: Path, here: Path, overrides: tuple[str, ...], message: str
) -> None:
    before = sorted(here.rglob("*"))
    with pytest.raises(UserError, match=message):
        run(f"checkpoint={fine_run}", *overrides)
    assert sorted(here.rglob("*")) == before


def test_a_file_of_blank_lines_names_nothing(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n \n")
    with pytest.raises(UserError, match=r"names\.txt names nothing"):
        read_names(tmp_path / "names.txt")
