"""Whole runs of captioning in miniature, on shapes and on real samples."""

import json
import math
from pathlib import Path

import pytest
import torch

from fiber.evaluation.captioning.caption_scores import caption_scores
from fiber.evaluation.captioning.document_frequencies import DocumentFrequencies
from fiber.tasks.coarse.caption.task import OBJECTIVE_KEY, CaptionFineTuning
from fiber.tasks.evaluation import evaluate
from fiber.tasks.training import prepare, train
from fiber.utils.errors import UserError

from ....end_to_end.conftest import loss_curve
from ...composing import composed, evaluating

FAST = ("task=caption", "optimization.batch_size=4", "trainer.batch_size=4", "trainer.log_every=1", "logger=csv")
SMALL = (*FAST, "data.train.0.num_samples=24", "data.val.num_samples=6", "data.val_batch_size=4")
LEARNING = ("optimization.learning_rate=0.002", "optimization.max_steps=90", "evaluation.search=beam")
CONSTANT = ("optimization.schedule.power=0", "optimization.schedule.warmup=0")


def test_a_few_images_are_captioned_by_heart(tmp_path: Path) -> None:
    images = ("data.train.0.num_samples=8", "data.val.num_samples=8", "data.val.split=train")
    batch = ("optimization.batch_size=8", "trainer.batch_size=8")
    metrics = train(composed([*FAST, *images, *batch, *LEARNING], tmp_path))
    assert metrics["val/caption/colors_and_shapes"] == 1
    assert metrics["val/caption/cider_d"] == pytest.approx(10)


def test_an_interrupted_run_keeps_its_gold_policy(tmp_path: Path) -> None:
    gold = (*SMALL, *CONSTANT, "objective.loss=gold", "objective.refresh_every=20", "optimization.learning_rate=0.003")
    train(composed([*gold, "optimization.max_steps=30"], tmp_path / "whole"))
    train(composed([*gold, "optimization.max_steps=27"], tmp_path / "part"))
    last = torch.load(tmp_path / "part/checkpoints/last.ckpt", weights_only=True)
    assert last[OBJECTIVE_KEY]["refreshed_at"] == 20
    assert not any("policy" in name for name in last["state_dict"])
    train(composed([*gold, "optimization.max_steps=30", "ckpt_path=auto"], tmp_path / "part"))
    expected = loss_curve(tmp_path / "whole")
    assert sorted(expected) == list(range(30))
    assert loss_curve(tmp_path / "part") == pytest.approx(expected, rel=1e-6)


def test_rewards_are_learned_from(tmp_path: Path) -> None:
    file = tmp_path / "frequencies.json"
    DocumentFrequencies(10, {"a": 9, "circle": 3}).save(file)
    cider = (*SMALL, *CONSTANT, "objective.loss=cider", "optimization.max_steps=2", "objective.num_samples=2")
    losses = []
    for number, options in enumerate([(), (), (f"objective.document_frequencies={file}", "objective.baseline=greedy")]):
        metrics = train(composed([*cider, *options], tmp_path / str(number)))
        assert 0 <= metrics["val/caption/cider_d"] <= 10
        losses.append(loss_curve(tmp_path / str(number)))
    assert losses[0] == losses[1]  # the captions that are drawn depend on the seed alone
    assert losses[0] != losses[2]
    assert all(math.isfinite(loss) for curve in losses for loss in curve.values())


def test_real_captions_are_learned_and_judged(shared: Path, tmp_path: Path) -> None:
    mini, run = shared / "data/mini", tmp_path / "run"
    real = (*FAST, "data=coarse_caption", f"data_dir={mini}", "data.max_broken=1.0", "optimization.max_steps=24")
    train(composed([*real, *CONSTANT, "optimization.learning_rate=0.002", "evaluation.max_length=6"], run))
    losses = [loss for _, loss in sorted(loss_curve(run).items())]
    assert len(losses) == 24 and sum(losses[-6:]) < 0.9 * sum(losses[:6])
    judged = evaluate(evaluating(["split=test", "evaluation.search=beam", "evaluation.num_beams=2"], run))
    rows = json.loads((run / "evaluation/caption_test/captions.json").read_text())
    images = json.loads((mini / "karpathy/dataset_coco.json").read_text())["images"]
    references = {
        str(image["cocoid"]): [sentence["raw"].strip() for sentence in image["sentences"]]
        for image in images
        if image["split"] == "test"
    }
    assert [str(row["image_id"]) for row in rows] == list(references)
    scores = caption_scores(references, {str(row["image_id"]): row["caption"] for row in rows})
    found = {name: judged[f"test/caption/{name}"] for name in scores}
    assert found == pytest.approx(scores, abs=1e-9)


def test_what_captions_do_not_pass_through_is_frozen(tmp_path: Path) -> None:
    task = prepare(composed(SMALL, tmp_path)).task
    assert isinstance(task, CaptionFineTuning)
    frozen = {name for name, parameter in task.model.named_parameters() if not parameter.requires_grad}
    assert {"backbone.image.norm.weight", "cross_modal_head.image_projection.weight"} <= frozen
    assert not any(name.startswith(("backbone.text", "image_adapters", "masked")) for name in frozen)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("evaluation.search=widest", "evaluation.search=widest is not one of beam, greedy, sample"),
        ("evaluation.num_beams=0", "num_beams=0: give a whole number of at least 1"),
        ("evaluation.max_length=2", "max_length=2: give at least 3"),
        ("evaluation.max_length=400", "captions of 400 tokens do not fit the model, which reads 256"),
        ("objective.loss=scst", "objective.loss=scst is not one of mle, gold, cider"),
        ("objective.refresh_every=0", "objective.refresh_every=0: give at least 1"),
        ("data=shapes_coarse_vqa", "reads no captions"),
    ],
)
def test_wrong_options_are_named(option: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        prepare(composed([*FAST, option], tmp_path))


def test_too_few_samples_to_compare_with_each_other(tmp_path: Path) -> None:
    options = ("objective.loss=cider", "objective.baseline=leave_one_out", "objective.num_samples=1")
    with pytest.raises(UserError, match=r"objective\.num_samples=1: give at least 2"):
        prepare(composed([*SMALL, *options], tmp_path))
