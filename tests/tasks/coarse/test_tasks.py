"""Looking for the builder of a task."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fiber.tasks.coarse.tasks import find_task_builder
from fiber.tasks.coarse.vqa.builder import VqaBuilder
from fiber.tasks.training import find_recipe
from fiber.utils.errors import UserError

HALF = """
from fiber.tasks.coarse.task_builder import TaskBuilder

class Half(TaskBuilder):
    wanted = "halves"
    def model(self, sizes): ...
    def original_names(self, sizes): ...
    def training_samples(self, reader): ...
    def collator(self): ...
    def task(self, model, **others): ...
"""


def test_a_task_of_the_library_is_known_by_its_name() -> None:
    assert find_task_builder(OmegaConf.create({"name": "vqa"})) is VqaBuilder


def test_a_path_to_a_class_goes_before_the_name() -> None:
    task = OmegaConf.create({"name": "nlvr2", "builder": f"{VqaBuilder.__module__}.VqaBuilder"})
    assert find_task_builder(task) is VqaBuilder


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("Counting", r"task\.builder=Counting names no module: give MODULE\.CLASS"),
        ("nowhere.Counting", r"task\.builder=nowhere\.Counting: No module named 'nowhere'\. .*PYTHONPATH"),
        ("half_a_task.Whole", r"the module half_a_task has no Whole"),
        ("pathlib.Path", r"task\.builder=pathlib\.Path is no subclass of fiber\.tasks\.coarse\.task_builder\.Task"),
        ("half_a_task.Half", r"lacks evaluation_samples, evaluator, reader_kind, which"),
        ("needs_more.Whole", r"task\.builder=needs_more\.Whole: No module named 'absent'"),
    ],
)
def test_a_path_that_leads_to_no_builder_is_refused_in_words(
    path: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_a_task.py").write_text(HALF)
    (tmp_path / "needs_more.py").write_text("import absent\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=message):
        find_task_builder(OmegaConf.create({"name": "mine", "builder": path}))


def test_a_builder_is_of_the_coarse_stage() -> None:
    with pytest.raises(UserError, match=r"builds a task of stage=coarse, not of stage=fine"):
        find_recipe("fine", OmegaConf.create({"name": "mine", "builder": "counting.CountingBuilder"}))


def test_an_unknown_task_is_told_what_there_is() -> None:
    with pytest.raises(UserError, match=r"task=mine is no task of stage=coarse: give one of .*task\.builder="):
        find_recipe("coarse", OmegaConf.create({"name": "mine"}))
