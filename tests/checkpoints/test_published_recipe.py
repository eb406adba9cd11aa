"""The recipe that is handed on, and the one that is read."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fiber.checkpoints.published_recipe import published_recipe
from fiber.checkpoints.trained_run import read_run_config
from fiber.utils.errors import UserError

RECIPE = """
stage: {name: coarse}
task: {name: vqa}
run_dir: /home/ann/runs/vqa
ckpt_path: auto
init_from: /home/ann/runs/coarse
image_size: 64
data_dir: /data
tokenizer: {path: ~/models/roberta-base}
model: {pretrained_image: /home/ann/swin.pth, pretrained_text: roberta-base, depths: [1, 2]}
logger:
  csv: {_target_: pytorch_lightning.loggers.CSVLogger, save_dir: "${run_dir}"}
data:
  val: {_target_: fiber.data.readers.vqa.VqaQuestions, folder: "${data_dir}/vqa", image_size: "${image_size}"}
"""


def test_what_is_of_the_machine_stays_there() -> None:
    recipe = published_recipe(OmegaConf.create(RECIPE))
    assert OmegaConf.to_container(recipe, resolve=False) == {
        "stage": {"name": "coarse"},
        "task": {"name": "vqa"},
        "image_size": 64,
        "data_dir": "/data",
        "tokenizer": {"path": "roberta-base"},
        "model": {"pretrained_image": "swin.pth", "pretrained_text": "roberta-base", "depths": [1, 2]},
        "data": {"val": {"_target_": "fiber.data.readers.vqa.VqaQuestions", "folder": "/data/vqa", "image_size": 64}},
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run_dir: ${oc.env:SECRET}", r"has \$\{oc.env:SECRET\} in place of a value"),
        ("data: {val: [{size: '${image_size}'}]}", r"has \$\{image_size\} in place of a value"),
        ("task: 3", "is not the configuration of a run"),
        ("seed: !!python/name:os.system", "cannot be read as the configuration of a run"),
    ],
)
def test_a_recipe_that_no_run_writes_is_refused(
    line: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hidden")
    content = {"stage": "{name: coarse}", "task": "{name: vqa}", "image_size": "64"}
    key, _, value = line.partition(": ")
    file = tmp_path / "config.yaml"
    file.write_text("\n".join(f"{key}: {value}" for key, value in (content | {key: value}).items()))
    with pytest.raises(UserError, match=message) as caught:
        read_run_config(file)
    assert "hidden" not in str(caught.value)
