"""Runs of the fine stage from the first step to metrics, pictures and checkpoints."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .conftest import FAST, FINE, SMALL, loss_curve, metrics_of

Train = Callable[..., subprocess.CompletedProcess[str]]
READERS = "fiber.data.readers"


def test_a_fine_run_starts_from_a_coarse_one_and_leaves_everything_in_its_directory(
    train: Train, tmp_path: Path
) -> None:
    assert train(*SMALL, "optimization.max_steps=2", "run_dir=coarse").returncode == 0
    extras = ("trainer.activation_checkpointing=true", "frozen_stages=1", "detector.drop_block=0.3")
    result = train(*FINE, *extras, "optimization.max_steps=2", "init_from=coarse", "run_dir=run")
    assert result.returncode == 0, result.stderr[-2000:]
    assert "initialised from coarse/checkpoints/best.ckpt (of a run): " in result.stdout
    run_dir = tmp_path / "run"
    for name in ("config.yaml", "initialization.txt", "predictions.png", "tokenizer/tokenizer.json"):
        assert (run_dir / name).is_file(), name
    for name in ("last.ckpt", "best.ckpt"):
        assert (run_dir / "checkpoints" / name).is_file(), name
    report = (run_dir / "initialization.txt").read_text().splitlines()
    assert "loaded: text.embedding.word.weight" in report
    assert "fresh: head.token_bias" in report
    assert "unused: model.temperature" in report
    expected = {"val/grounding/recall_1", "val/detection/AP", "val/detection/AP50", "train/samples_per_second"}
    assert expected <= set(metrics_of(run_dir))
    with Image.open(run_dir / "predictions.png") as picture:
        assert len(set(picture.convert("RGB").resize((64, 64)).getdata())) > 20


def real_sets(data_dir: Path) -> list[dict[str, Any]]:
    """Every format of boxes in one mixture."""
    derived, images = data_dir / "derived_grounding", str(data_dir / "coco/train2017")
    raccoons = data_dir / "odinw/Raccoon/Raccoon.v2-raw.coco/train"
    coco = f"{READERS}.coco_detection.CocoDetection"
    mdetr = f"{READERS}.mdetr_grounding.MdetrGrounding"
    return [
        {"_target_": mdetr, "annotation_file": str(derived / "mixed_train.json"), "image_folder": images},
        {
            "_target_": coco,
            "annotation_file": str(data_dir / "coco/annotations/instances_train2017.json"),
            "image_folder": images,
        },
        {
            "_target_": f"{READERS}.objects365_tsv.Objects365Tsv",
            "yaml_file": str(data_dir / "derived_o365_tsv/train.yaml"),
        },
        {
            "_target_": coco,
            "annotation_file": str(raccoons / "annotations_without_background.json"),
            "image_folder": str(raccoons),
        },
    ]


def hydra_list(sets: list[dict[str, Any]]) -> str:
    """Readers as a value for the command line."""
    return json.dumps(sets).replace('"', "")


def validation_sets(data_dir: Path) -> list[dict[str, Any]]:
    phrases = {
        "_target_": f"{READERS}.mdetr_grounding.MdetrGrounding",
        "annotation_file": str(data_dir / "derived_grounding/flickr_separateGT_val.json"),
        "image_folder": str(data_dir / "coco/val2017"),
        "evaluate": True,
    }
    objects = {
        "_target_": f"{READERS}.coco_detection.CocoDetection",
        "annotation_file": str(data_dir / "coco/annotations/instances_val2017.json"),
        "image_folder": str(data_dir / "coco/val2017"),
        "training": False,
    }
    return [phrases, objects]


REAL = (
    "stage=fine",
    *FAST,
    "optimization.batch_size=8",
    "trainer.batch_size=8",
    "max_text_length=256",
    "tokenizer.vocab_size=2000",
    "transform.short_sides=[96,128]",
    "transform.max_side=192",
    "data.val_batch_size=1",
)


def test_the_loss_falls_on_every_format_mixed_in_one_run(train: Train, tmp_path: Path, shared: Path) -> None:
    data_dir = shared / "data" / "mini"
    sets = (
        f"data.train={hydra_list(real_sets(data_dir))}",
        f"data.val={hydra_list(validation_sets(data_dir))}",
        "data.weights=[2,2,1,1]",
        "data.max_val_samples=6",
    )
    result = train(*REAL, *sets, "optimization.max_steps=60", "run_dir=run")
    assert result.returncode == 0, result.stderr[-2000:]
    losses = loss_curve(tmp_path / "run")
    assert sum(losses[step] for step in range(55, 60)) < 0.9 * sum(losses[step] for step in range(5))
    assert metrics_of(tmp_path / "run")["val/detection/AP"] >= 0


DEFECTS: list[dict[str, Any]] = [
    {"caption": "a red square", "phrases": [{"text": "a red square", "boxes": [[500, 500, 600, 600]]}]},
    {"caption": "   ", "phrases": []},
    {"caption": "a dot", "phrases": [{"span": [0, 90], "boxes": [[5, 5, 30, 30]]}]},
    {"caption": "a dog. " * 200, "phrases": [{"span": [0, 5], "boxes": [[5, 5, 30, 30]]}]},
    {"caption": "a line", "phrases": [{"text": "a line", "boxes": [[5, 5, 5, 30]]}]},
    {"caption": "nothing to be seen", "phrases": []},
]


def write_defects(folder: Path) -> None:
    """Ten lines, six of them at fault in one way each."""
    Image.new("RGB", (64, 48), (200, 30, 30)).save(folder / "picture.jpg")
    good = {"caption": "a red thing", "phrases": [{"text": "a red thing", "boxes": [[5, 5, 40, 40]]}]}
    lines = [json.dumps({"image": "picture.jpg"} | line) for line in [*DEFECTS, *[good] * 4]]
    (folder / "train.jsonl").write_text("\n".join(lines))
    (folder / "val.jsonl").write_text("\n".join(lines[-4:]))


def test_annotations_at_fault_are_counted_and_named_and_never_end_in_nan(train: Train, tmp_path: Path) -> None:
    write_defects(tmp_path)
    sizes = ("optimization.max_steps=8", "optimization.batch_size=5", "trainer.batch_size=5")
    result = train(
        *REAL, "task=custom", "data=fine_custom", "data_dir=.", *sizes, "data.val_batch_size=1", "run_dir=run"
    )
    assert result.returncode == 0, result.stderr[-2000:]
    output = result.stdout + result.stderr
    for words in (
        "a box outside of its image",
        "a box without area",
        "a phrase outside of its caption",
        "an image whose caption is empty",
        "the end of a caption that is longer than the model reads",
    ):
        assert f"passed over {words}: " in output
    assert "passed over in all: " in output
    losses = loss_curve(tmp_path / "run")
    assert all(loss < 1e6 for loss in losses.values())  # nan is not


def write_sixteen(data_dir: Path, path: Path) -> None:
    """COCO annotations of the sixteen images whose smallest object is largest; a tiny model sees no more."""
    content = json.loads((data_dir / "coco/annotations/instances_train2017.json").read_text())
    boxes: dict[int, list[dict[str, Any]]] = {}
    for annotation in content["annotations"]:
        boxes.setdefault(annotation["image_id"], []).append(annotation)
    smallest = {
        image: min(box["bbox"][2] * box["bbox"][3] for box in theirs)
        for image, theirs in boxes.items()
        if not any(box["iscrowd"] for box in theirs)
    }
    chosen = set(sorted(smallest, key=lambda image: smallest[image])[-16:])
    content["images"] = [image for image in content["images"] if image["id"] in chosen]
    content["annotations"] = [box for image in chosen for box in boxes[image]]
    path.write_text(json.dumps(content))


@pytest.mark.slow
def test_sixteen_real_images_are_learnt_by_heart(train: Train, tmp_path: Path, shared: Path) -> None:
    data_dir = shared / "data" / "mini"
    write_sixteen(data_dir, tmp_path / "sixteen.json")
    reader = {
        "_target_": f"{READERS}.coco_detection.CocoDetection",
        "annotation_file": "sixteen.json",
        "image_folder": str(data_dir / "coco/train2017"),
    }
    sets = (f"data.train={hydra_list([reader])}", f"data.val={hydra_list([reader | {'training': False}])}")
    options = (
        "data.all_classes=true",
        "data.negatives.shuffle=false",
        "data.val_short_side=128",
        "transform.short_sides=[128]",
        "transform.flip_probability=0",
        "optimization.learning_rate=2e-3",
        "optimization.groups.language_multiplier=1",
        "optimization.max_steps=600",
        "trainer.val_every=600",
    )
    result = train(*REAL, *sets, *options, "run_dir=run")
    assert result.returncode == 0, result.stderr[-2000:]
    assert metrics_of(tmp_path / "run")["val/detection/AP50"] >= 0.8


@pytest.mark.slow
def test_the_demo_learns_after_the_coarse_demo(train: Train, tmp_path: Path) -> None:
    assert train("stage=coarse", "experiment=demo", "run_dir=coarse").returncode == 0
    result = train("stage=fine", "experiment=demo", "init_from=coarse", "run_dir=run")
    assert result.returncode == 0, result.stderr[-2000:]
    metrics = metrics_of(tmp_path / "run")
    assert metrics["val/grounding/recall_1"] >= 0.7
    assert metrics["val/detection/AP50"] >= 0.5
