"""Whole runs of question answering in miniature, on shapes and on real samples."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch

from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.question_batch import QuestionBatch
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.tasks.evaluation import evaluate
from fiber.tasks.training import prepare, train
from fiber.utils.errors import UserError

from ...composing import composed, evaluating

FAST = (
    "task=vqa",
    "optimization.batch_size=8",
    "optimization.max_steps=3",
    "trainer.batch_size=8",
    "trainer.log_every=1",
    "logger=csv",
)
SHAPES = (*FAST, "data.train.0.num_samples=40", "data.val.num_samples=21", "data.splits.test.num_samples=5")


def real(mini: Path) -> tuple[str, ...]:
    """Overrides that read the real samples; the held-out ones are called minival."""
    return (
        *FAST,
        "data=coarse_vqa",
        f"data_dir={mini}",
        f"data.val.question_file={mini}/vqav2/v2_OpenEnded_mscoco_minival_questions.json",
        f"data.val.annotation_file={mini}/vqav2/v2_mscoco_minival_annotations.json",
    )


@pytest.fixture(scope="module")
def shapes_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A run on shapes and its metrics."""
    run = tmp_path_factory.mktemp("shapes") / "run"
    return run, train(composed(SHAPES, run))


def test_evaluating_a_run_finds_what_its_validation_found(shapes_run: tuple[Path, dict[str, float]]) -> None:
    run, metrics = shapes_run
    found = evaluate(evaluating(["val_batch_size=4"], run))
    assert found == {name: value for name, value in metrics.items() if name.startswith("val/")}
    assert {"val/vqa/accuracy", "val/vqa/accuracy_yes_no", "val/vqa/accuracy_other"} <= set(found)
    folder = run / "evaluation/vqa_val"
    rows = json.loads((folder / "vqa_submit.json").read_text())
    assert [row["question_id"] for row in rows] == list(range(21))
    answers = AnswerVocabulary.from_file(run / "answers.json").answers
    assert {row["answer"] for row in rows} <= set(answers)
    assert json.loads((folder / "vqa_accuracy.json").read_text())["overall"] == round(
        100 * found["val/vqa/accuracy"], 2
    )


def test_a_further_split_is_evaluated_under_its_name(shapes_run: tuple[Path, dict[str, float]]) -> None:
    run, _ = shapes_run
    found = evaluate(evaluating(["split=test"], run))
    assert "test/vqa/accuracy" in found
    assert len(json.loads((run / "evaluation/vqa_test/vqa_submit.json").read_text())) == 5


def test_a_run_goes_on_with_the_answers_of_the_one_it_starts_from(
    shapes_run: tuple[Path, dict[str, float]], shared: Path, tmp_path: Path
) -> None:
    run, _ = shapes_run
    started = prepare(composed([*SHAPES, f"init_from={run}"], tmp_path / "run"))
    initialization = started.parts.initialization
    assert initialization is not None and not initialization.fresh
    assert started.parts.learned_files["answers.json"] == (run / "answers.json").read_text()
    other = f"data.answers={shared}/data/mini/vqav2/trainval_label2ans.json"
    initialization = prepare(composed([*SHAPES, f"init_from={run}", other], tmp_path / "other")).parts.initialization
    assert initialization is not None
    assert initialization.fresh and all(name.startswith("classifier.") for name in initialization.fresh)


def test_as_many_answers_in_another_order_are_refused(
    shapes_run: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    run, _ = shapes_run
    answers = json.loads((run / "answers.json").read_text())
    (tmp_path / "reversed.json").write_text(json.dumps(answers[::-1]))
    overrides = [*SHAPES, f"init_from={run}", f"data.answers={tmp_path / 'reversed.json'}"]
    with pytest.raises(UserError, match=r"reversed.json has as many answers as .*answers.json, but others"):
        prepare(composed(overrides, tmp_path / "run"))


def test_an_answers_file_of_other_answers_is_not_taken_for_the_runs(
    shapes_run: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    run = shutil.copytree(shapes_run[0], tmp_path / "run")
    (run / "answers.json").write_text('["yes", "no"]')
    with pytest.raises(UserError, match=r"2 tensors differ, classifier\.layers\.3\.weight among them"):
        evaluate(evaluating([], run))


def test_every_trained_parameter_gets_a_gradient(tmp_path: Path) -> None:
    run = prepare(composed(SHAPES, tmp_path / "run"))
    for module in run.task.model.modules():
        if isinstance(module, GatedCrossAttention):
            torch.nn.init.constant_(module.gate, 0.5)
    batch: QuestionBatch = next(iter(run.data_module.train_dataloader()))
    losses = run.task.losses(batch)  # type: ignore[operator]
    losses["vqa"].backward()
    for name, parameter in run.task.model.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.abs().max() > 0)
        assert reached == parameter.requires_grad, name
    assert batch.targets.sum(dim=1).tolist() == [1.0] * 8


def test_real_questions_are_learned_and_judged(shared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mini = shared / "data/mini"
    with caplog.at_level(logging.INFO):
        metrics = train(composed([*real(mini), "data.min_answer_count=4"], tmp_path / "run"))
    assert AnswerVocabulary.from_file(tmp_path / "run/answers.json").answers == ("no", "yes", "3", "1")
    assert "4 answers to choose from" in caplog.text
    assert "of 60 questions left out of training, since the vocabulary has no answer to them" in caplog.text
    assert 0 <= metrics["val/vqa/accuracy"] <= 1
    found = evaluate(evaluating([], tmp_path / "run"))
    assert found["val/vqa/accuracy"] == metrics["val/vqa/accuracy"]
    rows = json.loads((tmp_path / "run/evaluation/vqa_val/vqa_submit.json").read_text())
    questions = json.loads((mini / "vqav2/v2_OpenEnded_mscoco_minival_questions.json").read_text())["questions"]
    assert [row["question_id"] for row in rows] == [row["question_id"] for row in questions]


def test_real_questions_are_learned_by_heart(shared: Path, tmp_path: Path) -> None:
    mini = shared / "data/mini"
    overrides = [
        *real(mini),
        f"data.val.question_file={mini}/vqav2/v2_OpenEnded_mscoco_train2014_questions.json",
        f"data.val.annotation_file={mini}/vqav2/v2_mscoco_train2014_annotations.json",
        "+data.train.0.images=:6",  # nine questions
        "+data.val.images=:6",
        "data.min_answer_count=1",
        "optimization.max_steps=40",
        "optimization.learning_rate=2e-3",
        "trainer.log_every=100",
    ]
    metrics = train(composed(overrides, tmp_path / "run"))
    assert metrics["val/vqa/accuracy"] > 0.9


def test_evaluation_without_an_image_is_refused(shared: Path, tmp_path: Path) -> None:
    mini = shared / "data/mini"
    questions, annotations = tmp_path / "questions.json", tmp_path / "annotations.json"
    rows = [{"question_id": 10, "image_id": 1, "question": "Is it?"}]
    questions.write_text(json.dumps({"data_subtype": "train2014", "questions": rows}))
    answered = [{"question_id": 10, "image_id": 1, "answers": [{"answer": "yes"}] * 10}]
    annotations.write_text(json.dumps({"data_subtype": "train2014", "annotations": answered}))
    overrides = [*real(mini), "data.min_answer_count=4", "optimization.max_steps=1"]
    overrides += [f"data.val.question_file={questions}", f"data.val.annotation_file={annotations}"]
    with pytest.raises(UserError, match=r"questions: cannot evaluate without .*COCO_train2014_000000000001\.jpg"):
        train(composed(overrides, tmp_path / "run"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.answers=absent.json", r"absent\.json does not exist"),
        ("data=shapes_coarse_pretrain", "reads no questions: choose data for this stage and task"),
        ("data.min_answer_count=few", "data.min_answer_count='few': give int"),
    ],
)
def test_one_message_and_no_run(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepare(composed([*FAST, override], tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_validation_split_without_answers_is_refused_before_training(shared: Path, tmp_path: Path) -> None:
    overrides = [*real(shared / "data/mini"), "data.min_answer_count=4", "data.val.annotation_file=null"]
    with pytest.raises(UserError, match=r"data\.val: .* questions without answers.*data\.val\.annotation_file="):
        prepare(composed(overrides, tmp_path / "run"))
