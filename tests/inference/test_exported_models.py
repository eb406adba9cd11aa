"""Exported models that somebody has changed by hand, or half copied."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fiber.checkpoints.model_description import ModelKind
from fiber.data.shapes.corpus import shapes_corpus
from fiber.data.tokenization import train_tokenizer
from fiber.inference.fiber import Fiber
from fiber.inference.model_loading import load_model
from fiber.inference.publishing import save_model
from fiber.utils.errors import UserError

from .exported_models import ANSWERS, write_model
from .fine_run import write_run

DAMAGED = "tokenizer.json is damaged or no tokeniser .*put back the tokenizer.json"


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "vqa", ModelKind.QUESTION_ANSWERING)


@pytest.fixture
def own(answering: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return Path(shutil.copytree(answering, tmp_path / "model"))


def changed(key: str, value: Any) -> Callable[[Path], object]:
    """Gives an entry of the description, by its dotted key, another value."""

    def change(folder: Path) -> None:
        content = place = json.loads((folder / "config.json").read_text())
        *outer, last = key.split(".")
        for part in outer:
            place = place[part]
        place[last] = value
        (folder / "config.json").write_text(json.dumps(content))

    return change


def written(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def removed(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (removed("config.json"), "config.json is missing: leave model.safetensors in the folder"),
        (written("config.json", "{"), "config.json is not json .*: expected the description of an exported model"),
        (written("config.json", "[]"), "config.json describes no model of this library"),
        (changed("format_version", 2), "format_version=2, this library reads 1: update it"),
        (changed("format_version", None), "describes no model of this library"),
        (changed("format_version", "1"), "describes no model of this library"),
        (changed("format_version", 0), "describes no model of this library"),
        (changed("backbone", None), "config.json is damaged: model.backbone=None: give values for image, text"),
        (changed("generation", None), "model.generation=None: give values for search"),
        (changed("kind", "detector"), "model.backbone is no option"),
        (changed("backbone.text.num_heads", 0), "model.text.num_heads=0: give a whole number"),
        (changed("backbone.image.num_heads", "abcd"), "model.backbone.image.num_heads='abcd': give a list"),
        (changed("backbone.image.num_heads", [1, 2, "x", 4]), "model.backbone.image.num_heads.2='x': give int"),
        (changed("backbone.image.depths", [-1, 1, 3, 1]), "model.image.depths=.*: give whole numbers of at least 1"),
        (changed("backbone.text.pad_id", 5000), "model.text.pad_id=5000: give 0 to"),
        (changed("num_answers", None), "num_answers=None: give a whole number of at least 1"),
        (changed("num_answers", 5), "answers.json has 4 answers, .*config.json says 5: put back the answers"),
        (changed("max_text_length", 2), "max_text_length=2: the positions allow 3 to 32 tokens"),
        (changed("max_text_length", 10**6), "max_text_length=1000000: the positions allow 3 to 32"),
        (changed("image_size", 10**7), "image_size=10000000: give a multiple of 32 pixels, at most"),
        (changed("image_size", 63), "image_size=63: give a multiple of 32 pixels"),
        (removed("answers.json"), "answers.json is missing, .*config.json says 4: put back the answers of the model"),
        (written("answers.json", json.dumps([*ANSWERS, "more"])), "answers.json has 5 answers, .* says 4"),
        (written("tokenizer/tokenizer.json", ""), DAMAGED),
        (written("tokenizer/tokenizer.json", "{}"), DAMAGED),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(own: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(own)
    with pytest.raises(UserError, match=message):
        load_model(own)


def test_another_tokeniser_is_known_by_its_size(own: Path) -> None:
    train_tokenizer(shapes_corpus(), 300).save(own / "tokenizer")
    with pytest.raises(UserError, match=r"tokenizer.json has 300 tokens, .*config.json says 4\d\d: put back the tok"):
        load_model(own)


@pytest.mark.parametrize("content", ["{", "[1]", '{"val/vqa/accuracy": "high"}'])
def test_damaged_metrics_are_named(own: Path, content: str, tmp_path: Path) -> None:
    (own / "metrics.json").write_text(content)
    with pytest.raises(UserError, match=r"metrics.json is .*expected numbers by name"):
        save_model(load_model(own), tmp_path / "saved")


def test_a_converted_model_keeps_its_origin_and_records_on_the_way(own: Path, tmp_path: Path) -> None:
    changed("origin", "Converted from a drawer.")(own)
    (own / "conversion.json").write_text("{}")
    (own / "original_extra.safetensors").write_bytes(b"kept")
    Fiber.from_pretrained(own, device="cpu").save_pretrained(tmp_path / "one")
    Fiber.from_pretrained(tmp_path / "one", device="cpu").save_pretrained(tmp_path / "two")
    assert "Converted from a drawer." in (tmp_path / "two/README.md").read_text()
    assert (tmp_path / "two/conversion.json").read_text() == "{}"
    assert (tmp_path / "two/original_extra.safetensors").read_bytes() == b"kept"
    Fiber.from_pretrained(tmp_path / "two", device="cpu").save_pretrained(tmp_path / "two")  # onto itself
    assert (tmp_path / "two/original_extra.safetensors").read_bytes() == b"kept"


def test_a_model_leaves_nothing_of_the_one_that_was_there(own: Path, tmp_path: Path) -> None:
    for name in ("metrics.json", "conversion.json", "original_extra.safetensors"):
        (own / name).write_text("{}")
    (own / "notes.txt").write_text("mine")
    write_model(own, ModelKind.CAPTIONING)
    assert {path.name for path in own.iterdir()} == {
        "README.md",
        "config.json",
        "config.yaml",
        "model.safetensors",
        "notes.txt",
        "tokenizer",
    }
    assert Fiber.from_pretrained(own, device="cpu").kind is ModelKind.CAPTIONING


def test_neither_runs_nor_files_are_written_over(answering: Path, tmp_path: Path) -> None:
    loaded = load_model(answering)
    run = write_run(tmp_path / "run")
    with pytest.raises(UserError, match="run is the directory of a run: give another folder for the model"):
        save_model(loaded, run)
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="cannot be a folder, there is a file: give another"):
            save_model(loaded, place)


@pytest.mark.parametrize("source", ["./absent", "~/absent", "absent/model", "/absent"])
def test_a_place_that_is_not_there_is_no_repository_either(source: str) -> None:
    with pytest.raises(UserError, match=f"checkpoint={source} (is no local path|does not exist)"):
        load_model(source)
