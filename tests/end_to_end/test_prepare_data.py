"""`scripts/prepare_data.py` as it is typed."""

import json
from pathlib import Path

import pytest
from omegaconf import DictConfig
from PIL import Image

from .scripts import run_script

SCRIPT = "scripts/prepare_data.py"


def test_the_first_word_is_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    few = ["data=shapes_coarse_caption", "data.train.0.num_samples=5", "output=counts.json"]
    assert run_script([SCRIPT, "document-frequencies", *few], monkeypatch) == 0
    assert "5 images: counts.json" in capsys.readouterr().out
    assert json.loads((tmp_path / "counts.json").read_text())["num_documents"] == 5
    assert [path.name for path in tmp_path.iterdir()] == ["counts.json"]


def test_the_status_tells_missing_images_from_a_wrong_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    for split, images in (("train", ("a.png", "b.png")), ("val", ("a.png",))):
        lines = [json.dumps({"image": image, "caption": "a thing"}) for image in images]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines))
    assert run_script([SCRIPT, "verify", "data=jsonl", "data_dir=.", "output=verify.json"], monkeypatch) == 1
    assert "train.jsonl (train): missing b.png" in capsys.readouterr().out
    assert [split["missing"] for split in json.loads((tmp_path / "verify.json").read_text())["splits"]] == [1, 0]
    assert run_script([SCRIPT, "verify", "data=jsno", "data_dir=."], monkeypatch) == 2
    assert "jsno" in capsys.readouterr().err
    assert run_script([SCRIPT, "verify", "data=jsonl", "data_dir=.", "decode=7"], monkeypatch) == 2


def test_ctrl_c_is_told_from_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def interrupted(config: DictConfig) -> int:
        raise KeyboardInterrupt("2 shards kept")

    monkeypatch.setattr("fiber.preparation.commands.prepare_data", interrupted)
    assert run_script([SCRIPT, "pack", "data=coco"], monkeypatch) == 130
    assert capsys.readouterr().err == "interrupted: 2 shards kept\n"
