"""Every task of the fine stage trains on and judges real samples in their published formats, by one step each."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fiber.tasks.evaluation import evaluate
from fiber.tasks.training import train

from ...composing import composed, evaluating
from ...found import num_boxes, partial

READERS = "fiber.data.readers"
STEPS = (
    "optimization.max_steps=1",
    "trainer.val_every=1",
    "trainer.batch_size=2",
    "optimization.batch_size=2",
    "data.val_batch_size=2",
    "tokenizer.vocab_size=300",
    "max_text_length=64",
    "logger=csv",
    "evaluation.score_threshold=0",  # or so short a run finds nothing
    "evaluation.nms_threshold=0.1",
)


def given(values: Any) -> str:
    """A value for the command line."""
    return json.dumps(values).replace('"', "")


def run(task: str, overrides: Sequence[str], folder: Path) -> dict[str, float]:
    """Metrics of one step and of judging its result."""
    trained = train(composed(["stage=fine", f"task={task}", *STEPS, *overrides], folder))
    judged = evaluate(evaluating([], folder))
    assert judged == {name: value for name, value in trained.items() if name.startswith("val/")}
    [results] = (folder / "evaluation").iterdir()
    assert num_boxes(results) > 0
    assert partial(judged) or task == "refcoco"  # whose expressions are of one image
    assert ((folder / "evaluation").is_dir() and (folder / "zero_shot.png").is_file()) or task == "lvis"
    return trained


def written(folder: Path, name: str) -> Path:
    """The result file of a judged run."""
    [file] = (folder / "evaluation").glob(f"*/{name}")
    return file


def test_refer_expressions(shared: Path, tmp_path: Path) -> None:
    mini = shared / "data/mini"
    reader = {
        "_target_": f"{READERS}.refer.ReferExpressions",
        "folder": str(mini / "refcoco"),
        "image_folder": str(mini / "coco/train2014"),
        "split": "testA",
    }
    overrides = ["data=refer", f"data.train=[{given(reader)}]", f"data.val={given(reader)}"]
    metrics = run("refcoco", overrides, tmp_path / "run")
    assert {"val/refcoco/precision_1_iou", "val/refcoco/precision_10_giou", "best/refcoco/precision_1_iou"} <= set(
        metrics
    )
    assert len(json.loads(written(tmp_path / "run", "referring_results.json").read_text())) == 14


def test_mdetr_s_referring_expressions(shared: Path, tmp_path: Path) -> None:
    mini = shared / "data/mini"
    reader = {
        "_target_": f"{READERS}.mdetr_grounding.MdetrReferring",
        "annotation_file": str(mini / "mdetr_annotations/finetune_refcoco_testA.json"),
        "image_folder": str(mini / "coco/train2014"),
    }
    overrides = ["data=fine_refcoco", f"data.train=[{given(reader)}]", f"data.val={given(reader)}"]
    assert "val/refcoco/precision_5_iou" in run("refcoco", overrides, tmp_path / "run")


def test_flickr30k_entities(shared: Path, tmp_path: Path) -> None:
    mini = shared / "data/mini"

    def reader(split: str) -> dict[str, str]:
        return {
            "_target_": f"{READERS}.flickr30k_entities.Flickr30kEntities",
            "folder": str(mini / "derived_grounding/entities_format"),
            "image_folder": str(mini / f"coco/{split}2017"),
            "split": split,
        }

    overrides = ["data=fine_flickr30k", f"data.train=[{given(reader('train'))}]", f"data.val={given(reader('val'))}"]
    metrics = run("flickr30k", overrides, tmp_path / "run")
    assert {"val/flickr30k/recall_1", "val/flickr30k/upper_bound", "val/flickr30k_merged/recall_1"} <= set(metrics)


def test_coco(shared: Path, tmp_path: Path) -> None:
    overrides = [
        "data=fine_coco",
        f"data_dir={shared / 'data/mini'}",
        "data.all_classes=false",
    ]
    metrics = run("coco", overrides, tmp_path / "run")
    assert {"val/detection/AP", "val/detection/AP50", "zero_shot/detection/AP"} <= set(metrics)
    rows = json.loads(written(tmp_path / "run", "coco_results.json").read_text())
    assert all(set(row) == {"image_id", "category_id", "bbox", "score"} for row in rows)


def test_lvis(shared: Path, tmp_path: Path) -> None:
    mini = shared / "data/mini"
    reader = {
        "_target_": f"{READERS}.lvis_detection.LvisDetection",
        "annotation_file": str(mini / "lvis/lvis_v0.5_val_mini.json"),
        "image_folder": str(mini / "coco/val2014"),
    }
    val = reader | {"training": False}
    overrides = ["data=fine_lvis", f"data.train=[{given(reader)}]", f"data.val={given(val)}", "data.splits={}"]
    metrics = run("lvis", overrides, tmp_path / "run")
    assert {"val/lvis/AP", "val/lvis_fixed/AP", "val/lvis_fixed/APr"} <= set(metrics)


def test_odinw_from_one_shot(shared: Path, tmp_path: Path) -> None:
    overrides = [
        "data=fine_odinw",
        f"data_dir={shared / 'data/mini'}",
        "data.shots=1",
        "data.copies=2",
        "final_split=null",
        "data.splits={}",
    ]
    assert "val/detection/AP" in run("odinw", overrides, tmp_path / "run")
    subset = json.loads((tmp_path / "run/few_shot.json").read_text())
    assert (subset["shots"], len(subset["image_ids"])) == (1, 1)


@pytest.mark.parametrize("tuning", ["linear_probe", "prompt", "text_and_probe"])
def test_your_own_folder_by_part_of_the_model(shared: Path, tmp_path: Path, tuning: str) -> None:
    folder = shared / "data/mini/odinw/Raccoon/Raccoon.v2-raw.coco"
    metrics = run("custom", [f"data_dir={folder}", f"tuning={tuning}"], tmp_path / "run")
    assert {"val/detection/AP", "zero_shot/detection/AP"} <= set(metrics)
