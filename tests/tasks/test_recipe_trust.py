"""What a recipe that somebody else wrote may name."""

import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from fiber.tasks.recipe_trust import builds_readers, check_builder, check_readers, find_own, targets
from fiber.utils.errors import UserError

CONFIGS = Path(__file__).parents[2] / "configs"
SHAPES = {"_target_": "fiber.data.shapes.questions.ShapesQuestions", "split": "val"}


def test_the_library_s_own_data_need_no_trust() -> None:
    files = (CONFIGS / "data").glob("*.yaml")
    named = {path for file in files for path in targets(OmegaConf.to_container(OmegaConf.load(file), resolve=False))}
    assert len(named) > 20
    assert [path for path in named if not builds_readers(find_own(path))] == []


@pytest.mark.parametrize(
    "path",
    [
        "torch.load",
        "builtins.eval",
        "hydra.utils.get_method",
        "fiber.data.readers.files.json.loads",  # what a module of the library imports
        "fiber.data.readers.base.ABC",
        "fiber.data.readers.files.read_json",  # a function that reads no samples
        "fiber.tasks.training.train",
        "fiber.data.readers.absent.Reader",
        "fiber.data..base.Reader",
        "Reader",
        ["torch.load"],
        None,
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_anything_but_a_reader_of_the_library_wants_trust(path: Any, nested: bool) -> None:
    own = {"_target_": path, "f": "payload.pt"}
    data = {"train": [SHAPES | {"kinds": [own]}]} if nested else {"val": own}
    with pytest.raises(UserError, match=r"RUN/config.yaml: data are read by .* give trust_recipe=true"):
        check_readers(OmegaConf.create(data), "RUN/config.yaml")


def test_modules_of_others_are_not_even_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spiteful.py").write_text("raise SystemExit('executed')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"the task is built by spiteful.Builder"):
        check_builder("spiteful.Builder", "config.yaml")
    with pytest.raises(UserError, match=r"data are read by spiteful.Reader"):
        check_readers(OmegaConf.create({"val": {"_target_": "spiteful.Reader"}}), "config.yaml")
    assert "spiteful" not in sys.modules


def test_builders_of_the_library_are_trusted_and_other_classes_of_it_are_not() -> None:
    check_builder("fiber.tasks.coarse.vqa.builder.VqaBuilder", "config.yaml")
    with pytest.raises(UserError, match=r"built by fiber.tasks.coarse.vqa.evaluator.VqaEvaluator"):
        check_builder("fiber.tasks.coarse.vqa.evaluator.VqaEvaluator", "config.yaml")
