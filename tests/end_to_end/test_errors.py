"""Wrong input ends in one clear message before any training."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from .conftest import FAST

Train = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("optimisation.lr=1",), "Key 'optimisation' is not in struct"),
        (("data=coco", "data_dir=missing"), "missing/karpathy/dataset_coco.json does not exist (missing is missing)"),
    ],
)
def test_one_message_and_no_run(train: Train, tmp_path: Path, overrides: tuple[str, ...], message: str) -> None:
    result = train(*FAST, *overrides)
    assert result.returncode != 0
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "outputs").exists()


def test_annotations_of_another_format_are_named(train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "karpathy"
    folder.mkdir(parents=True)
    (folder / "dataset_coco.json").write_text('{"images": [], "annotations": []}')
    result = train(*FAST, "data=coco", "data.train=[{_target_: fiber.data.shapes.captions.ShapesCaptions}]")
    assert "cannot build fiber.data.shapes.captions.ShapesCaptions" in result.stderr
    result = train(*FAST, "data=coco")
    assert "dataset_coco.json is of another format: expected Karpathy's splits" in result.stderr
    assert result.returncode == 2


def test_a_damaged_checkpoint_is_named(train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "last.ckpt").write_bytes(b"PK\x03\x04 cut short")
    result = train(*FAST, "run_dir=run", "ckpt_path=auto")
    assert result.returncode == 2
    assert "last.ckpt is damaged or no checkpoint of a training run" in result.stderr


def test_a_run_with_too_many_broken_images_stops_and_names_them(train: Train, tmp_path: Path) -> None:
    lines = []
    for number in range(20):
        name = f"{number}.jpg"
        if number < 4:
            (tmp_path / name).write_bytes(b"no picture")
        else:
            Image.new("RGB", (40, 30), (number, 0, 0)).save(tmp_path / name)
        lines.append(f'{{"image": "{name}", "caption": "picture {number}"}}')
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    (tmp_path / "val.jsonl").write_text("\n".join(lines[4:]))
    result = train(*FAST, "data=jsonl", "data_dir=.", "optimization.max_steps=3")
    assert result.returncode == 2
    assert "data.max_broken=0.01" in result.stderr
    assert "passed over a broken image: " in result.stdout + result.stderr
    result = train(*FAST, "data=jsonl", "data_dir=.", "optimization.max_steps=3", "data.max_broken=0.9", "run_dir=ok")
    assert result.returncode == 0, result.stderr[-1000:]
