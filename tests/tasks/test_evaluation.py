"""Trained models on a split, for every task of both stages."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from fiber.checkpoints.position_bias import resize_position_bias
from fiber.tasks.coarse.judging import resized_to
from fiber.tasks.coarse.tasks import COARSE_TASKS
from fiber.tasks.evaluation import evaluate
from fiber.tasks.fine.tasks import FINE_TASKS
from fiber.tasks.training import train
from fiber.utils.errors import UserError

from .composing import composed, evaluating
from .found import num_boxes, partial

SIZES = ("optimization.batch_size=8", "trainer.batch_size=8", "data.train.0.num_samples=24", "data.val.num_samples=11")
TASKS = [
    *(("coarse", task) for task in COARSE_TASKS),
    *(("fine", task) for task in FINE_TASKS if task != "custom"),  # which has no data of its own
]
FINDING = ("evaluation.score_threshold=0", "evaluation.nms_threshold=0.1")
"""After so few steps no score is above the usual threshold; boxes that lie apart meet something by chance."""
STEPS = ("optimization.max_steps=2", "trainer.val_every=2", "logger=csv", "data.val_batch_size=4")


@pytest.fixture(scope="module")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Directory of a short run of a task."""
    folder = tmp_path_factory.mktemp("runs")

    def run(task: str, stage: str = "coarse") -> Path:
        directory = folder / task
        if not directory.exists():
            given = [*SIZES, *STEPS, *(FINDING if stage == "fine" else [])]
            train(composed([f"stage={stage}", f"task={task}", *given], directory))
        return directory

    return run


@pytest.mark.parametrize(("stage", "task"), TASKS)
def test_a_checkpoint_is_judged_as_it_was_in_training(
    run_of: Callable[..., Path], stage: str, task: str, tmp_path: Path
) -> None:
    run = run_of(task, stage)
    metrics = evaluate(evaluating([f"output={tmp_path}"], run))
    of_training = json.loads((run / "metrics.json").read_text())
    assert metrics == {name: value for name, value in of_training.items() if name.startswith("val/")}
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    assert (tmp_path / "predictions.png").is_file()
    if stage == "fine":
        assert num_boxes(tmp_path) > 11  # images
        assert partial(metrics) or task == "refcocog"  # of which no object is met by chance


@pytest.mark.parametrize(("stage", "task"), TASKS)
def test_a_split_of_other_data_is_judged_under_its_own_name(run_of: Callable[..., Path], stage: str, task: str) -> None:
    run = run_of(task, stage)
    split = "testA" if task in ("refcoco", "refcoco+") else "test"
    overrides = [f"data=shapes_{stage}_{task}", f"split={split}", f"data.splits.{split}.num_samples=9"]
    metrics = evaluate(evaluating(overrides, run))
    assert metrics and all(name.startswith(f"{split}/") for name in metrics)
    assert (run / "evaluation" / f"{task}_{split}" / "metrics.json").is_file()


def test_a_detector_is_judged_on_a_task_that_it_was_not_trained_for(run_of: Callable[..., Path]) -> None:
    run = run_of("coco", "fine")
    overrides = ["task=refcoco", "data=shapes_fine_refcoco", "data.val.num_samples=9"]
    metrics = evaluate(evaluating(overrides, run))
    assert {"val/refcoco/precision_1_iou", "val/refcoco/precision_1_giou"} <= set(metrics)


def test_another_task_of_the_fine_stage_needs_its_data(run_of: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match=r"task=odinw has data of its own: give data=fine_odinw and data_dir="):
        evaluate(evaluating(["task=odinw"], run_of("coco", "fine")))


def test_expressions_of_another_benchmark_are_refused(run_of: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match=r"is of refcocog: give task=refcocog, or other data"):
        evaluate(evaluating(["task=refcoco", "data=shapes_fine_refcocog"], run_of("coco", "fine")))


def judged_images(folder: Path) -> int:
    """Images in which an evaluation has found something."""
    return len({row["image_id"] for row in json.loads((folder / "coco_results.json").read_text())})


def test_a_run_that_was_validated_on_few_samples_is_judged_on_all(tmp_path: Path) -> None:
    overrides = ["stage=fine", "task=coco", *SIZES, *STEPS, *FINDING, "data.max_val_samples=3"]
    train(composed(overrides, tmp_path / "run"))
    evaluate(evaluating([f"output={tmp_path / 'all'}"], tmp_path / "run"))
    few = ["data=shapes_fine_coco", "data.val.num_samples=9", "data.max_val_samples=5", f"output={tmp_path / 'few'}"]
    evaluate(evaluating(few, tmp_path / "run"))
    assert (judged_images(tmp_path / "all"), judged_images(tmp_path / "few")) == (11, 5)


def test_several_data_sets_are_judged_under_one_command(run_of: Callable[..., Path]) -> None:
    run = run_of("coco", "fine")
    overrides = ["task=odinw", "data=shapes_fine_odinw", "data.dataset=[a,b]", "data.val.num_samples=9"]
    metrics = evaluate(evaluating(overrides, run))
    assert metrics["mean/val/detection/AP"] == metrics["a/val/detection/AP"] == metrics["b/val/detection/AP"]
    assert json.loads((run / "evaluation/odinw_val/metrics.json").read_text()) == metrics
    assert (run / "evaluation/odinw_val/b/coco_results.json").is_file()


def test_all_data_sets_are_looked_for_before_the_first_is_judged(run_of: Callable[..., Path], tmp_path: Path) -> None:
    data = ["data=shapes_fine_odinw", "data.dataset=[sketch,absent]", "data.val.style=${data.dataset}"]
    with pytest.raises(UserError, match="absent"):
        evaluate(evaluating(["task=odinw", *data, f"output={tmp_path / 'judged'}"], run_of("coco", "fine")))
    assert not (tmp_path / "judged").exists()


@pytest.mark.parametrize("lists", ["data.shots=[1,3]", "data.shot_seed=[3,30]"])
def test_lists_of_what_is_learned_from_are_refused(run_of: Callable[..., Path], lists: str) -> None:
    with pytest.raises(
        UserError, match=r"data.shots?(_seed)? lists several values, but nothing is trained: leave it out"
    ):
        evaluate(evaluating(["task=odinw", "data=shapes_fine_odinw", lists], run_of("coco", "fine")))


def test_a_detector_is_not_judged_on_a_task_of_the_other_stage(run_of: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="is of stage=fine, which has no task=vqa: give a run of stage=coarse"):
        evaluate(evaluating(["task=vqa"], run_of("coco", "fine")))


def forget_task(run: Path) -> list[str]:
    config = OmegaConf.load(run / "config.yaml")
    config.task.name = "pretrain"
    OmegaConf.save(config, run / "config.yaml")
    return []


def widen(run: Path) -> list[str]:
    path = run / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    content["state_dict"]["model.classifier.layers.0.bias"] = torch.zeros(3)
    torch.save(content, path)
    return []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: ["split=minival"], "split=minival: these data have val, test"),
        (lambda run: ["task=nlvr2"], r"ShapesQuestions reads no statements.*: .*, such as data=coarse_nlvr2"),
        (
            lambda run: ["task=nlvr2", "data=shapes_coarse_nlvr2"],
            "best.ckpt is of task=vqa and has no classifier.* that task=nlvr2 could use: give a checkpoint of that",
        ),
        (
            lambda run: ["task=retrieval", "data=shapes_coarse_retrieval"],
            "best.ckpt is of task=vqa and has no temperature",
        ),
        (lambda run: ["trainer.strategy=fsdp"], "trainer=fsdp: .* give trainer=ddp"),
        (forget_task, "config.yaml is of stage=coarse task=pretrain: give task=..., one of .*vqa"),
        (lambda run: ["task=pretrain"], "config.yaml is of stage=coarse task=pretrain: give task=..., one of .*vqa"),
        (
            lambda run: ["task=coco"],
            "best.ckpt is of stage=coarse, which has no task=coco: give a run of stage=fine",
        ),
        (widen, r"best.ckpt does not fit config.yaml of its run: 1 tensors differ, classifier.layers.0.bias"),
    ],
)
def test_what_cannot_be_judged_is_said_in_one_message(
    run_of: Callable[..., Path], tmp_path: Path, change: Callable[[Path], list[str]], message: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_of("vqa"), run)
    with pytest.raises(UserError, match=message):
        evaluate(evaluating(change(run), run))


def test_a_recipe_from_disk_runs_no_code_of_others_unless_trusted(run_of: Callable[..., Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_of("vqa"), run)
    config = OmegaConf.load(run / "config.yaml")
    config.data.val = {"_target_": "os.mkdir", "path": str(tmp_path / "made")}
    OmegaConf.save(config, run / "config.yaml")
    with pytest.raises(UserError, match=r"config.yaml: data are read by os.mkdir.* give trust_recipe=true"):
        evaluate(evaluating([], run))
    assert not (tmp_path / "made").exists()
    metrics = evaluate(evaluating(["data=shapes_coarse_vqa", "data.val.num_samples=4"], run))  # data of one's own
    assert "val/vqa/accuracy" in metrics and not (tmp_path / "made").exists()
    with pytest.raises(UserError, match=r"os.mkdir reads no questions"):
        evaluate(evaluating(["trust_recipe=true"], run))
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("trained_for", "task", "message"),
    [
        ("retrieval", "vqa", r"retrieval keeps no answers.json: give a run of task=vqa"),
        ("retrieval", "caption", r"is of task=retrieval and has no .* that task=caption could use"),
        ("caption", "retrieval", r"is of task=caption and has no .* that task=retrieval could use"),
    ],
)
def test_a_checkpoint_of_another_task_is_named(
    run_of: Callable[..., Path], trained_for: str, task: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        evaluate(evaluating([f"task={task}", f"data=shapes_coarse_{task}"], run_of(trained_for)))


def test_options_that_a_task_does_not_have_are_refused(run_of: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match=r"evaluation.num_beams is no option of task=vqa"):
        evaluate(evaluating(["evaluation.num_beams=3"], run_of("vqa")))


def test_a_window_that_follows_the_image_size_has_its_biases_resized() -> None:
    small, large = torch.rand(9, 2), torch.rand(25, 2)
    name = "backbone.image.blocks.0.attention.relative_position_bias"
    other = {name: small, "backbone.image.norm.weight": torch.ones(3)}
    resized = resized_to(3, other, {name: large, "backbone.image.norm.weight": torch.ones(3)})
    assert torch.equal(resized[name], resize_position_bias(small, 3)) and resized[name].shape == large.shape
    assert torch.equal(resized_to(2, other, other)[name], small)


def test_a_checkpoint_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="checkpoint is missing: give checkpoint=RUN"):
        evaluate(evaluating(["checkpoint=null"], tmp_path))
