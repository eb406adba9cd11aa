"""Whole runs of NLVR2 in miniature, on shapes and on real samples."""

import csv
import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from fiber.data.shapes.statements import ShapesStatements
from fiber.evaluation.nlvr2 import accuracy, consistency, read_predictions
from fiber.tasks.coarse.nlvr2.task import Nlvr2FineTuning
from fiber.tasks.evaluation import evaluate
from fiber.tasks.training import prepare, train
from fiber.utils.errors import UserError

from ...composing import composed, composed_recipe, evaluating

SHORT = ("task=nlvr2", "optimization.batch_size=4", "trainer.batch_size=4", "trainer.log_every=1", "logger=csv")


def training_losses(run_dir: Path) -> list[float]:
    with (run_dir / "logs/version_0/metrics.csv").open() as file:
        return [float(row["train/nlvr2_loss"]) for row in csv.DictReader(file) if row["train/nlvr2_loss"]]


def true_labels(annotations: Path) -> Mapping[str, bool]:
    lines = [json.loads(line) for line in annotations.read_text().splitlines()]
    return {line["identifier"]: line["label"] == "True" for line in lines}


@pytest.fixture(scope="module")
def real_run(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on real pairs: the eight of dev, since there is but one of train."""
    mini, run = shared / "data/mini", tmp_path_factory.mktemp("real")
    config = composed(
        [
            *SHORT,
            "data=coarse_nlvr2",
            f"data_dir={mini}",
            f"data.train.0.annotation_file={mini}/nlvr2/data/dev.json",
            "data.augmentation=randaugment",
            "max_text_length=40",
            "optimization.learning_rate=2e-3",
            "optimization.max_steps=24",
            "trainer.val_every=24",
        ],
        run,
    )
    train(config)
    return run


def test_real_pairs_are_learnt(real_run: Path) -> None:
    losses = training_losses(real_run)
    assert len(losses) == 24 and sum(losses[-4:]) < 0.8 * sum(losses[:4])


@pytest.mark.parametrize(
    ("split", "annotations"), [("val", "dev"), ("test", "test1"), ("unbalanced_dev", "unbalanced/unbalanced_dev")]
)
def test_real_pairs_are_judged_with_the_official_file(
    shared: Path, real_run: Path, split: str, annotations: str
) -> None:
    judged = evaluate(evaluating([f"split={split}"], real_run))
    predictions = read_predictions(real_run / f"evaluation/nlvr2_{split}/predictions.csv")
    truths = true_labels(shared / f"data/mini/nlvr2/data/{annotations}.json")
    assert list(predictions) == list(truths)
    assert judged == {
        f"{split}/nlvr2/accuracy": accuracy(truths, predictions),
        f"{split}/nlvr2/consistency": consistency(truths, predictions),
    }


def test_a_missing_image_ends_the_evaluation(shared: Path, real_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "nlvr2"
    shutil.copytree(shared / "data/mini/nlvr2", folder)
    (folder / "test1/test1-0-1-img1.png").unlink()
    config = evaluating(["data=coarse_nlvr2", "split=test", f"data_dir={tmp_path}"], real_run)
    with pytest.raises(UserError, match=r"nlvr2 test1: cannot evaluate without .*test1-0-1-img1\.png"):
        evaluate(config)


def test_arrow_files_serve_as_well(tmp_path: Path) -> None:
    reader = ShapesStatements("train", num_samples=8, image_size=64)
    for name in ("train", "dev"):
        write_arrow(reader, tmp_path / f"nlvr2_{name}.arrow")
    steps = ("optimization.max_steps=1", "trainer.val_every=1")
    metrics = train(composed([*SHORT, "data=arrow_nlvr2", f"data_dir={tmp_path}", *steps], tmp_path / "run"))
    assert {"val/nlvr2/accuracy", "val/nlvr2/consistency"} <= set(metrics)


def write_arrow(reader: ShapesStatements, path: Path) -> None:
    """A pair and its statement in every row."""
    columns: dict[str, list[Any]] = {
        "image_0": [encoded(reader.load_images(index)[0]) for index in range(len(reader))],
        "image_1": [encoded(reader.load_images(index)[1]) for index in range(len(reader))],
        "questions": [[reader.statement(index).text] for index in range(len(reader))],
        "answers": [[str(reader.statement(index).is_true)] for index in range(len(reader))],
        "identifier": [f"dev-{index}-0" for index in range(len(reader))],
    }
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as file, pa.RecordBatchFileWriter(file, table.schema) as writer:
        writer.write_table(table)


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def test_all_weights_come_from_a_run_of_the_same_task(tmp_path: Path) -> None:
    small = ("data.train.0.num_samples=8", "data.val.num_samples=5", "optimization.max_steps=2", "trainer.val_every=2")
    train(composed([*SHORT, *small], tmp_path / "first"))
    run = prepare(composed([*SHORT, *small, f"init_from={tmp_path / 'first'}", "seed=1"], tmp_path / "second"))
    saved = torch.load(tmp_path / "first/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    for name, value in run.task.state_dict().items():
        assert torch.equal(value, saved[name]), name


def test_every_parameter_that_trains_gets_a_gradient(tmp_path: Path) -> None:
    run = prepare(composed([*SHORT, "data.train.0.num_samples=4", "data.val.num_samples=4"], tmp_path))
    task = run.task
    assert isinstance(task, Nlvr2FineTuning) and task.monitored == "val/nlvr2/accuracy"
    for name, parameter in task.model.named_parameters():
        if name.endswith("gate"):  # a shut gate lets no gradient through to what it gates
            torch.nn.init.constant_(parameter, 0.5)
    samples = run.data_module.train_samples
    batch = run.data_module.collate(
        [samples[key] for key in next(iter(run.data_module.train_dataloader().batch_sampler))]
    )
    losses = task.losses(batch)
    logits = task.model((batch.image / 255 - MEAN) / STD, batch.text_ids, batch.text_mask)
    expected = -logits.log_softmax(dim=1)[torch.arange(4), batch.is_true.long()].mean()
    assert list(losses) == ["nlvr2"]
    torch.testing.assert_close(losses["nlvr2"], expected)
    losses["nlvr2"].backward()
    assert [name for name, value in task.model.named_parameters() if value.requires_grad and value.grad is None] == []


MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def test_the_papers_recipe() -> None:
    config = composed_recipe(["task=nlvr2"])
    recipe = OmegaConf.to_container(config, resolve=True)
    optimization = recipe["optimization"]
    assert (recipe["image_size"], recipe["max_text_length"], recipe["data"]["augmentation"]) == (384, 50, "randaugment")
    assert (optimization["learning_rate"], optimization["batch_size"], optimization["max_epochs"]) == (2e-5, 256, 5)
    assert optimization["groups"] == {"weight_decay": 0.01, "head_multiplier": 50.0, "cross_modal_multiplier": 5.0}
    assert optimization["schedule"]["warmup"] == 0.1 and recipe["model"]["image"]["drop_path"] == 0.1


@pytest.mark.parametrize("split", ["test", "balanced_dev", "balanced_test", "unbalanced_dev", "unbalanced_test"])
def test_every_published_file_is_a_split(split: str) -> None:
    config = composed_recipe(["task=nlvr2"])
    name = split.replace("test", "test1")
    folder = name.partition("_")[0] + "/" if "_" in name else ""
    assert config.data.splits[split].annotation_file == f"/data/nlvr2/data/{folder}{name}.json"
