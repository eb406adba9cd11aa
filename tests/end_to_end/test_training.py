"""Runs from the first step to metrics, pictures and checkpoints."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fiber.data.tokenization import load_tokenizer

from .conftest import FAST, SMALL, loss_curve, metrics_of

Train = Callable[..., subprocess.CompletedProcess[str]]


def test_a_run_leaves_everything_in_its_directory(train: Train, tmp_path: Path) -> None:
    extras = ("optimization.ema_decay=0.9", "trainer.activation_checkpointing=true", "optimization.gradient_clip=1.0")
    loggers = [override for override in SMALL if not override.startswith("logger")]
    result = train(*loggers, *extras, "optimization.max_steps=3", "data.augmentation=randaugment", "run_dir=run")
    assert result.returncode == 0, result.stderr[-2000:]
    run_dir = tmp_path / "run"
    for name in ("config.yaml", "predictions.png", "checkpoints/last.ckpt", "checkpoints/best.ckpt"):
        assert (run_dir / name).is_file(), name
    assert list((run_dir / "logs").glob("events.out.tfevents.*"))
    assert load_tokenizer(str(run_dir / "tokenizer")).vocab_size > 256
    metrics = metrics_of(run_dir)
    assert {
        "train/samples_per_second",
        "train/seconds",
        "val/itm/accuracy",
        "val/mlm/accuracy",
        "val/mlm/accuracy_shuffled_images",
        "val/retrieval/image_to_text_r1",
        "val/retrieval/text_to_image_r10",
    } <= set(metrics)
    with Image.open(run_dir / "predictions.png") as picture:
        assert len(set(picture.convert("RGB").resize((64, 64)).getdata())) > 20


@pytest.mark.parametrize("data", ["coco", "coco_captions", "jsonl"])
def test_the_loss_falls_on_real_images(train: Train, tmp_path: Path, shared: Path, data: str) -> None:
    data_dir = shared / "data" / "mini"
    if data == "jsonl":
        write_jsonl(data_dir, tmp_path)
        data_dir = tmp_path
    sizes = ("max_text_length=24", "optimization.max_steps=40", "optimization.learning_rate=2e-3")
    result = train(*FAST, f"data={data}", f"data_dir={data_dir}", *sizes, "run_dir=run")
    assert result.returncode == 0, result.stderr[-2000:]
    losses = loss_curve(tmp_path / "run")
    assert sum(losses[step] for step in range(35, 40)) < 0.9 * sum(losses[step] for step in range(5))


def write_jsonl(data_dir: Path, folder: Path) -> None:
    """The same pictures as the user's own pairs."""
    content = json.loads((data_dir / "coco/annotations/captions_val2017.json").read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    lines = [
        json.dumps({"image": str(data_dir / "coco/val2017" / names[one["image_id"]]), "caption": one["caption"]})
        for one in content["annotations"]
    ]
    (folder / "train.jsonl").write_text("\n".join(lines))
    (folder / "val.jsonl").write_text("\n".join(lines[:40]))


@pytest.mark.slow
def test_a_model_that_overfits_real_images_retrieves_their_captions(train: Train, tmp_path: Path, shared: Path) -> None:
    data = (
        "data=coco_captions",
        f"data_dir={shared / 'data' / 'mini'}",
        "data.val.annotation_file=${data_dir}/coco/annotations/captions_train2017.json",
        "data.val.image_folder=${data_dir}/coco/train2017",
    )
    sizes = ("max_text_length=24", "optimization.max_steps=400", "optimization.batch_size=60", "trainer.batch_size=60")
    result = train("experiment=demo", *data, *sizes, "trainer.val_every=400", "run_dir=run")
    assert result.returncode == 0, result.stderr[-2000:]
    metrics = metrics_of(tmp_path / "run")
    assert metrics["val/retrieval/image_to_text_r1"] >= 0.9
    assert metrics["val/retrieval/text_to_image_r1"] >= 0.9


@pytest.mark.slow
def test_the_demo_learns(train: Train, tmp_path: Path) -> None:
    result = train("stage=coarse", "experiment=demo", "run_dir=run")
    assert result.returncode == 0, result.stderr[-2000:]
    metrics = metrics_of(tmp_path / "run")
    assert metrics["val/retrieval/image_to_text_r1"] >= 0.25
    assert metrics["val/retrieval/text_to_image_r1"] >= 0.25
    assert metrics["val/itm/accuracy"] >= 0.75
    assert metrics["val/mlm/accuracy"] >= 0.6
    assert metrics["val/mlm/accuracy"] >= metrics["val/mlm/accuracy_shuffled_images"] + 0.2
