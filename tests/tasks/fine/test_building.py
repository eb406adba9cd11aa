"""Wrong input to the fine stage ends in one clear message before any training."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from fiber.data.grounding_data_module import FineDataConfig, class_prompts
from fiber.data.shapes.detection import ShapesDetection
from fiber.detection.prompts import ClassPrompt
from fiber.tasks.fine.building import FEW_SHOT_FILE, fine_data_config
from fiber.tasks.trainer_config import TrainerConfig
from fiber.tasks.training import prepare
from fiber.utils.configs import build_dataclass, plain
from fiber.utils.errors import UserError

from ..composing import composed


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["init_from=nowhere"], "init_from=nowhere holds no checkpoint"),
        (
            ["data=shapes_coarse_pretrain"],
            "reads no boxes: choose data .*, such as data=fine_pretrain",
        ),
        (["data.negatives.max_negatives=-1"], "max_negatives=-1"),
        (["transform.short_sides=[]"], r"short_sides=\[\]"),
        (["detector.channel_order=grb"], "detector.channel_order=grb is not one of rgb, bgr"),
        (["task=custom", "data_dir=absent"], "absent"),
        (["detector.drop_path=2"], r"detector.drop_path=2: give a share in \[0, 1\)"),
        (["max_text_length=4000"], "max_text_length=4000 is more than model.text.max_positions allows"),
        (["model.num_fusion_layers=4"], "model.num_fusion_layers=4: give 1 to 3"),
        (["trainer.compile=true"], "trainer.compile=true: images of the fine stage vary in size"),
        (["trainer=fsdp", "optimization.batch_size=8"], "optimization.ema_decay=null, or trainer=ddp"),
        (["task=odinw", "trainer=fsdp"], "final_split=test judges .*: give final_split=null, or trainer=ddp"),
        (["task=refcoco", "data=shapes_fine_refcocog"], "is of refcocog: give task=refcocog, or other data"),
        (["task=odinw", "final_split=tset"], "final_split=tset: these data have val, test"),
        (["task=odinw", "final_split=3"], "final_split=3: give str or null"),
        (["task=odinw", "zero_shot=maybe"], "zero_shot='maybe': give bool"),
        (["task=odinw", "zero_shot=no"], "zero_shot='no': give bool"),
        (["task=odinw", "data.splits.test.style=nonsense"], "nonsense"),
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


def data_of(*overrides: str) -> FineDataConfig:
    """How samples become batches in a run of a few sketches."""
    config = composed(["stage=fine", "task=odinw", *overrides], Path("run"))
    return fine_data_config(config, build_dataclass(TrainerConfig, plain(config.trainer), "trainer"))


def sketches() -> ShapesDetection:
    """A data set of four classes."""
    return ShapesDetection(split="train", num_samples=4, image_size=64, seed=0)


def test_classes_are_asked_for_in_the_user_s_words() -> None:
    holes = "{name: holes, prefix: 'there are some ', suffix: ' on the road'}"
    data = data_of(f"data.prompts=[ring,{holes},box,{{name: cross}}]")
    assert class_prompts(sketches(), data) == (
        "ring",
        ClassPrompt("holes", "there are some ", " on the road"),
        "box",
        ClassPrompt("cross"),
    )


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ("[ring,box]", "data.prompts has 2 entries for 4 classes: give one entry per class, in the order "),
        ("[a,b,c,d,e]", "data.prompts has 5 entries for 4 classes"),
        ("[a,b,c,{prefix: the}]", r"data.prompts\[3\] .* names nothing"),
        ("[a,b,c,{name: d, sufix: e}]", r"data.prompts\[3\] .* unknown key sufix"),
        ("holes", "data.prompts='holes': give a list or null"),
    ],
)
def test_words_that_do_not_suit_the_classes_are_refused(prompts: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        class_prompts(sketches(), data_of(f"data.prompts={prompts}"))
    with pytest.raises(UserError, match=message):
        prepare(composed(["stage=fine", "task=odinw", f"data.prompts={prompts}"], tmp_path / "run"))


def training_prompts(overrides: list[str], folder: Path) -> set[str]:
    """Texts that a run of sketches trains on."""
    run = prepare(composed(["stage=fine", "task=odinw", "data.train.0.num_samples=32", *overrides], folder))
    tokenizer = run.task.tokenizer
    return {tokenizer.decode(ids.tolist()) for batch in run.data_module.train_dataloader() for ids in batch.text_ids}


def test_a_run_trains_on_the_user_s_words(tmp_path: Path) -> None:
    prompts = "[ring,{name: holes, prefix: 'there are some ', suffix: ' on the road'},box,cross]"
    assert training_prompts([f"data.prompts={prompts}"], tmp_path / "run") == {
        "ring. there are some holes on the road. box. cross"
    }


MOVING = [["data.negatives.shuffle=true"], ["data.all_classes=false"]]
"""Ways in which the prompt changes from image to image."""


@pytest.mark.parametrize("tuning", ["prompt", "prompt_and_probe"])
@pytest.mark.parametrize("overrides", MOVING, ids=lambda overrides: overrides[0])
def test_a_prompt_that_changes_from_image_to_image_cannot_be_tuned(
    tuning: str, overrides: list[str], tmp_path: Path
) -> None:
    message = rf"tuning={tuning} learns .*: give data\.negatives\.shuffle=false and data\.all_classes=true\."
    given = ["stage=fine", "task=odinw", *overrides]
    with pytest.raises(UserError, match=message):
        prepare(composed([*given, f"tuning={tuning}"], tmp_path / "run"))
    prepare(composed([*given, "tuning=text"], tmp_path / "run"))


@pytest.mark.parametrize("all_classes", ["true", "false", "null"])
def test_a_prompt_that_is_to_be_tuned_must_hold_all_classes(all_classes: str, tmp_path: Path) -> None:
    given = ["stage=fine", "task=odinw", "tuning=prompt", f"data.all_classes={all_classes}"]
    with pytest.raises(UserError) as caught:
        prepare(composed([*given, "max_text_length=8"], tmp_path / "run"))
    message = r"that of all 4 classes of .* needs (\d+) of max_text_length=8 tokens: give max_text_length=\1 or"
    found = re.search(message, str(caught.value))
    assert found is not None, caught.value
    prepare(composed([*given, f"max_text_length={found[1]}", "data.all_classes=true"], tmp_path / "run"))


def write_folder(folder: Path, *names: str, splits: Sequence[str] = ("train", "valid")) -> None:
    """A data set in COCO's layout of one picture, with a box of each class."""
    for split in splits:
        (folder / split).mkdir(parents=True)
        Image.new("RGB", (64, 48)).save(folder / split / "picture.jpg")
        boxes = [
            {"id": place, "image_id": 1, "category_id": place, "bbox": [1, 1, 20, 20], "area": 400}
            for place, _ in enumerate(names)
        ]
        content = {
            "images": [{"id": 1, "file_name": "picture.jpg", "height": 48, "width": 64}],
            "annotations": boxes,
            "categories": [{"id": place, "name": name} for place, name in enumerate(names)],
        }
        (folder / split / "_annotations.coco.json").write_text(json.dumps(content))


@pytest.mark.parametrize("stage_recipe", [[], ["recipe=fine_custom", "data=fine_custom"]], ids=["demo", "recipe"])
def test_the_prompt_of_your_own_folder_can_be_tuned(stage_recipe: list[str], tmp_path: Path) -> None:
    write_folder(tmp_path / "own", "cat", "dog", "owl")
    sizes = ["optimization.batch_size=1", "trainer.batch_size=1", f"data_dir={tmp_path / 'own'}"]
    run = prepare(composed(["stage=fine", "task=custom", "tuning=prompt", *stage_recipe, *sizes], tmp_path / "run"))
    (batch,) = list(run.data_module.train_dataloader())
    assert run.task.tokenizer.decode(batch.text_ids[0].tolist()) == "cat. dog. owl"


def prepare_own(folder: Path, train: str, val: str, *overrides: str) -> None:
    """A run on a folder whose splits have classes of their own."""
    write_folder(folder / "own", *train.split(), splits=["train"])
    write_folder(folder / "own", *val.split(), splits=["valid"])
    sizes = ["optimization.batch_size=1", "trainer.batch_size=1", f"data_dir={folder / 'own'}"]
    prepare(composed(["stage=fine", "task=custom", *sizes, *overrides], folder / "run"))


@pytest.mark.parametrize(
    ("train", "val", "message"),
    [
        ("cat dog owl", "cat dog", "data: own val lacks owl of own train: list the same classes in the annotations"),
        ("cat", "cat dog", "data: own train lacks dog of own val: list"),
        ("cat cow", "cat dog", "data: own val lacks cow of own train; own train lacks dog of own val: list"),
    ],
)
def test_classes_that_are_learned_and_judged_must_be_the_same(
    train: str, val: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        prepare_own(tmp_path, train, val)


def test_classes_may_be_in_another_order(tmp_path: Path) -> None:
    prepare_own(tmp_path, "cat dog", "dog cat")


@pytest.mark.parametrize("override", ["data.prompts=[tabby,hound]", "tuning=prompt"])
def test_classes_may_not_be_in_another_order_where_their_places_count(override: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="own train are in the order cat, dog, those of own val in the order dog, cat"):
        prepare_own(tmp_path, "cat dog", "dog cat", override)


@pytest.mark.parametrize(("limit", "expected"), [("null", 3), ("2", 2), ("99", 3)])
def test_few_shots_and_a_limit_on_the_samples_go_together(limit: str, expected: int, tmp_path: Path) -> None:
    sizes = ["optimization.batch_size=1", "trainer.batch_size=1", "data.train.0.num_samples=32"]
    shots = ["data.shots=2", "data.shot_seed=null", "data.copies=3", f"data.max_train_samples={limit}"]
    run = prepare(composed(["stage=fine", "task=odinw", *sizes, *shots], tmp_path / "run"))
    subset: dict[str, Any] = json.loads(run.parts.learned_files[FEW_SHOT_FILE])
    assert (len(subset["indices"]), len(run.data_module.train_samples)) == (expected, 3 * expected)


@pytest.mark.parametrize("debug", ["overfit", "fast"])
def test_few_shots_can_be_debugged(debug: str, tmp_path: Path) -> None:
    run = prepare(
        composed(
            ["stage=fine", "task=odinw", "data.shots=10", "data.shot_seed=null", f"debug={debug}"], tmp_path / "run"
        )
    )
    subset: dict[str, Any] = json.loads(run.parts.learned_files[FEW_SHOT_FILE])
    assert len(run.data_module.train_samples) == len(subset["indices"])
    batch = run.task.optimization.batch_size
    assert len(subset["indices"]) == batch if debug == "overfit" else len(subset["indices"]) > batch
