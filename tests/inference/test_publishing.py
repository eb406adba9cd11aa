"""A model handed on."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import HfApi

from fiber.inference.model_loading import load_model
from fiber.inference.publishing import push_model, save_model
from fiber.utils.errors import UserError

METRICS = {"val/detection/AP50": 0.98765, "train/seconds": 370.0}


@pytest.fixture
def measured_run(own_run: Path) -> Path:
    (own_run / "metrics.json").write_text(json.dumps(METRICS))
    return own_run


def test_a_saved_model_is_the_run_s_and_can_be_saved_again(measured_run: Path, tmp_path: Path) -> None:
    loaded = load_model(measured_run)
    save_model(loaded, tmp_path / "one")
    again = load_model(tmp_path / "one")
    assert again.description == loaded.description
    assert set(loaded.recipe) - set(again.recipe) == {"run_dir", "ckpt_path", "init_from", "logger"}
    assert all(again.recipe[key] == loaded.recipe[key] for key in again.recipe)
    assert (
        again.tokenizer.encode_batch(["a red circle"])[0].ids == loaded.tokenizer.encode_batch(["a red circle"])[0].ids
    )
    state = again.model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in loaded.model.state_dict().items())
    save_model(again, tmp_path / "two")
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert [str(file) for file in files] == [
        "README.md",
        "config.json",
        "config.yaml",
        "metrics.json",
        "model.safetensors",
        "tokenizer/tokenizer.json",
    ]
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)


def test_the_card_shows_use_sizes_recipe_and_metrics(measured_run: Path, tmp_path: Path) -> None:
    save_model(load_model(measured_run), tmp_path, origin="Found in a drawer.")
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: fiber-vl\npipeline_tag: zero-shot-object-detection\n")
    for part in (
        "Found in a drawer.",
        "model.ground(image",
        "| task | stage=fine task=pretrain |",
        "| training data | ShapesPhrases, ShapesDetection |",
        "| optimization.max_steps | 1200 |",
        "| `val/detection/AP50` | 0.9877 |",
        "| sees | 64 pixels on the shorter side, at most 1333 |",
    ):
        assert part in card, part
    assert "train/seconds" not in card


def test_what_was_not_measured_is_not_claimed(fine_run: Path, tmp_path: Path) -> None:
    save_model(load_model(fine_run), tmp_path)
    assert "None were measured." in (tmp_path / "README.md").read_text()
    assert not (tmp_path / "metrics.json").exists()


def test_a_damaged_or_later_description_is_named(fine_run: Path, tmp_path: Path) -> None:
    save_model(load_model(fine_run), tmp_path)
    file = tmp_path / "config.json"
    content = json.loads(file.read_text())
    for change, message in (
        ({"format_version": 2}, "format_version=2, this library reads 1: update it"),
        ({"model_type": "bert"}, "describes no model of this library"),
        ({"short_side": "wide"}, "short_side='wide': give int"),
        ({"colour": 1}, "colour is no option"),
    ):
        file.write_text(json.dumps(content | change))
        with pytest.raises(UserError, match=message):
            load_model(tmp_path)


def test_the_hub_gets_the_folder(measured_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, bool]] = []

    def create(self: HfApi, repo_id: str, *, private: bool, exist_ok: bool) -> None:
        made.append((repo_id, private))

    def upload(self: HfApi, *, repo_id: str, folder_path: str, **_: Any) -> str:
        shutil.copytree(folder_path, tmp_path / "hub")
        return f"https://hub/{repo_id}"

    monkeypatch.setattr(HfApi, "create_repo", create)
    monkeypatch.setattr(HfApi, "upload_folder", upload)
    assert push_model(load_model(measured_run), "me/fiber", private=True) == "https://hub/me/fiber"
    assert made == [("me/fiber", True)]
    assert load_model(tmp_path / "hub").description == load_model(measured_run).description


def test_a_hub_out_of_reach_is_said_so(fine_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: HfApi, *_: Any, **__: Any) -> None:
        raise OSError("no route")

    monkeypatch.setattr(HfApi, "create_repo", refuse)
    with pytest.raises(UserError, match=r"the hub does not take me/fiber .*hf auth login"):
        push_model(load_model(fine_run), "me/fiber")
    with pytest.raises(UserError, match=r"checkpoint=nobody/nothing is no local path, and the hub does not give"):
        load_model("nobody/nothing")
