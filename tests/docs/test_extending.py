"""The page about extensions: its examples run, and stand in it as they are."""

import inspect
import json
import re
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.shapes.questions import ShapesQuestions
from fiber.evaluation.vqa import judge_answer
from fiber.models.fusion_backbone import FusionBackbone
from fiber.tasks.coarse.fine_tuning_building import build_sizes
from fiber.tasks.coarse.tasks import find_task_builder
from fiber.tasks.evaluation import evaluate
from fiber.tasks.fine.tasks import FINE_TASKS
from fiber.tasks.training import prepare, train
from fiber.utils.errors import UserError

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "counting"
PAGE = (DOCS / "extending.md").read_text()
SMALL = (
    "optimization.batch_size=8",
    "trainer.batch_size=8",
    "trainer.num_workers=0",
    "data.train.0.num_samples=32",
    "data.val.num_samples=6",
    "data.splits.test.num_samples=5",
    "logger=csv",
    "optimization.max_steps=3",
    "trainer.val_every=3",
)


def composed(name: str, *overrides: str, folder: Path = EXAMPLE / "configs") -> DictConfig:
    """As the scripts do with `--config-dir folder`."""
    with initialize_config_dir(str(DOCS.parent / "configs"), version_base="1.3"):
        return compose(name, overrides=[f"hydra.searchpath=[file://{folder}]", *overrides])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a short run of the example."""
    folder = tmp_path_factory.mktemp("counting")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLE)
        train(composed("train", "stage=coarse", "experiment=counting", f"run_dir={folder}", *SMALL))
    return folder


def test_a_task_of_ones_own_trains_draws_and_is_judged(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLE)
    trained = json.loads((run / "metrics.json").read_text())
    assert {"val/counting/accuracy", "best/counting/accuracy"} <= set(trained)
    assert (run / "predictions.png").is_file()
    judged = evaluate(composed("evaluate", f"checkpoint={run}", "trainer=cpu", "trust_recipe=true"))
    assert judged == {name: value for name, value in trained.items() if name.startswith("val/")}
    evaluate(composed("evaluate", f"checkpoint={run}", "split=test", "trainer=cpu", "trust_recipe=true"))
    counts = json.loads((run / "evaluation/counting_test/counts.json").read_text())
    assert len(counts) == 5 and all(set(one) == {"found", "true"} for one in counts)


def test_a_run_of_ones_own_task_starts_a_task_of_the_library(run: Path, tmp_path: Path) -> None:
    small = [value for value in SMALL if "splits" not in value]
    task = ("stage=coarse", "task=vqa", "experiment=demo", f"init_from={run}", f"run_dir={tmp_path}")
    start = prepare(composed("train", *task, *small)).parts.initialization
    assert start is not None and not start.is_original
    assert {name.partition(".")[0] for name in start.fresh} == {"classifier"}


def test_options_that_ones_own_task_does_not_read_are_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLE)
    with pytest.raises(UserError, match=r"evaluation\.top_k is no option of task=counting"):
        evaluate(composed("evaluate", f"checkpoint={run}", "evaluation.top_k=3", "trainer=cpu", "trust_recipe=true"))


def blocks(language: str) -> list[str]:
    """Code of the page in one language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def block(language: str, words: str) -> str:
    """The only one that holds these words."""
    [found] = [code for code in blocks(language) if words in code]
    return found


@pytest.mark.parametrize(
    ("file", "language"),
    [("counting.py", "python"), ("crowds.py", "python"), ("configs/experiment/counting.yaml", "yaml")],
)
def test_the_page_shows_the_example_as_it_is(file: str, language: str) -> None:
    assert (EXAMPLE / file).read_text() in blocks(language)


def test_the_number_of_all_shapes_does_not_tell_how_many_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLE)
    reader = import_module("crowds").CrowdQuestions("val", num_samples=400, image_size=32)
    asked = np.array([int(reader.question(index).common_answer) for index in range(400)])
    others = np.array([len(reader.scene(index).objects) for index in range(400)]) - asked
    assert set(asked) == {0, 1, 2, 3, 4} and set(others) == {1, 2, 3, 4}
    assert abs(np.corrcoef(asked, others)[0, 1]) < 0.15
    named = [len(re.findall(r"\w+", reader.question(index).text)) for index in range(5)]
    assert named == [6] * 5


def test_the_page_s_data_for_the_fine_stage_are_what_its_reader_takes(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/signs.yaml").write_text(block("yaml", "signs/train.json"))
    config = composed("train", "stage=fine", "experiment=signs", folder=tmp_path)
    assert (config.task.name, config.optimization.max_epochs, config.evaluation.max_detections) == ("coco", 24, 300)
    for reader in (*config.data.train, config.data.val):
        values = OmegaConf.to_container(reader, resolve=True)
        kind = get_class(values.pop("_target_"))
        assert issubclass(kind, FINE_TASKS["coco"].reader_kind)
        inspect.signature(kind).bind(**values)


def test_the_page_s_size_builds_a_model(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/narrow.yaml").write_text(block("yaml", "projection_size: 384"))
    config = composed("train", "stage=coarse", "model=narrow", folder=tmp_path)
    sizes = build_sizes(config, vocab_size=300)
    assert (sizes.image.depths, sizes.image.num_heads, sizes.num_fusion_layers) == ((2, 2, 6, 2), (2, 4, 8, 16), 3)
    with torch.device("meta"):
        model = FusionBackbone(sizes)
        image = model.encode_image(torch.zeros(1, 3, config.image_size, config.image_size))
        fused = model.fuse(image, model.encode_text(torch.zeros(1, 4).long(), torch.ones(1, 4).bool()))
    assert (fused.image.shape, fused.text.shape) == ((1, 12, 12, 512), (1, 4, 384))


def test_the_page_s_metric_counts_different_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "diversity.py").write_text(block("python", "DiversityEvaluator"))
    monkeypatch.syspath_prepend(tmp_path)
    builder = find_task_builder(OmegaConf.create({"name": "vqa", "builder": "diversity.DiverseVqaBuilder"}))
    reader = ShapesQuestions("val", num_samples=3, image_size=32)
    evaluator = builder.evaluator(SimpleNamespace(vocabulary=AnswerVocabulary(reader.known_answers)), reader)
    judged = [judge_answer(reader.question(index), answer) for index, answer in enumerate(("red", "no", "red"))]
    assert evaluator.summarize(judged)["vqa/distinct_answers"] == 2.0
