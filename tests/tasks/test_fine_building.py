"""Wrong input to the fine stage ends in one clear message before any training."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from fiber.tasks.training import prepare
from fiber.utils.errors import UserError

from .composing import composed


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["init_from=nowhere"], "init_from=nowhere holds no checkpoint"),
        (["data=shapes_coarse_pretrain"], "reads no boxes: choose data for this stage and task"),
        (["data.negatives.max_negatives=-1"], "max_negatives=-1"),
        (["transform.short_sides=[]"], r"short_sides=\[\]"),
        (["detector.channel_order=grb"], "detector.channel_order=grb is not one of rgb, bgr"),
        (["task=custom", "data_dir=absent"], "absent"),
        (["detector.drop_path=2"], r"detector.drop_path=2: give a share in \[0, 1\)"),
        (["max_text_length=4000"], "max_text_length=4000 is more than model.text.max_positions allows"),
        (["model.num_fusion_layers=4"], "model.num_fusion_layers=4: give 1 to 3"),
        (["trainer.compile=true"], "trainer.compile=true: images of the fine stage vary in size"),
        (["trainer=fsdp", "optimization.batch_size=8"], "optimization.ema_decay=null, or trainer=ddp"),
        (["trainer.batch_size=3"], "trainer.batch_size=3 on 1 devices does not divide"),
    ],
)
def test_one_message_and_no_run(tmp_path: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepare(composed(["stage=fine", *overrides], tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_category_without_a_name_is_an_error(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        folder = tmp_path / split
        folder.mkdir()
        Image.new("RGB", (64, 48)).save(folder / "picture.jpg")
        content = {
            "images": [{"id": 1, "file_name": "picture.jpg", "height": 48, "width": 64}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 1, 20, 20], "area": 400}],
            "categories": [{"id": 7}],
        }
        (folder / "_annotations.coco.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="category 7 has no name"):
        prepare(composed(["stage=fine", "task=custom", f"data_dir={tmp_path}"], tmp_path / "run"))


def test_one_image_per_device_is_enough(tmp_path: Path) -> None:
    run = prepare(composed(["stage=fine", "trainer.batch_size=1"], tmp_path / "run"))
    assert run.trainer.accumulate_grad_batches == 16


def test_a_coarse_checkpoint_of_another_model_is_named(tmp_path: Path) -> None:
    torch.save(
        {"state_dict": {"model.backbone.text.layers.0.attention.qkv.weight": torch.zeros(3)}}, tmp_path / "x.ckpt"
    )
    with pytest.raises(UserError, match=r"x.ckpt lacks \d+ tensors of this model's backbone"):
        prepare(composed(["stage=fine", f"init_from={tmp_path / 'x.ckpt'}"], tmp_path / "run"))
