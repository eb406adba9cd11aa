"""Wrong input to the coarse stage ends in one clear message before any training."""

from pathlib import Path

import pytest
import torch
from hydra.errors import HydraException

from fiber.tasks.training import prepare, train
from fiber.utils.errors import UserError

from ..composing import composed


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("image_size=100", "image_size=100 is no multiple of 32"),
        ("trainer.batch_size=6", "does not divide the recipe's optimization.batch_size=64"),
        ("ckpt_path=nothing.ckpt", "ckpt_path=nothing.ckpt does not exist"),
        ("optimization.max_steps=many", "optimization.max_steps='many': give int"),
        ("data.augmentation=blur", "data.augmentation=blur is not one of resize, randaugment"),
        ("max_text_length=1000", "max_text_length=1000 is more than model.text.max_positions allows: 256"),
        ("data.train.0.num_samples=10", "The training data hold 10 samples, fewer than one step of 64"),
        ("tokenizer=roberta", "tokenizer.path=roberta-base is neither a directory"),
        ("model.pretrained_text=absent", "model.pretrained_text=absent is no local file"),
        ("model.num_fusion_layers=9", "model.num_fusion_layers=9: give 1 to 3"),
        ("data=shapes_fine_pretrain", "reads no captions: choose data for this stage and task"),
    ],
)
def test_one_message_and_no_run(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepare(composed([override], tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [("optimization.learning_rat=1", "learning_rat"), ("data=nowhere", "Could not find 'data/nowhere'")],
)
def test_unknown_keys_and_options_do_not_compose(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(HydraException, match=message):
        composed([override], tmp_path / "run")


SHORT = (
    "optimization.max_steps=1",
    "optimization.batch_size=8",
    "trainer.batch_size=8",
    "data.train.0.num_samples=16",
    "data.val.num_samples=8",
    "logger=csv",
)


def test_pre_training_goes_on_from_another_run_at_another_image_size(tmp_path: Path) -> None:
    first = tmp_path / "first"
    train(composed(SHORT, first))
    second = prepare(
        composed([*SHORT, f"init_from={first}", "image_size=96", "model.image.window_size=3"], tmp_path / "b")
    )
    report = second.parts.initialization
    assert report is not None and not report.fresh and len(report.resized) == 5
    saved = torch.load(first / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    own = second.task.model.state_dict()
    same = [name for name in report.loaded if name not in report.resized]
    assert all(torch.equal(own[name], saved[f"model.{name}"]) for name in same) and len(same) > 150
    assert second.task.tokenizer.vocab_size == len(own["backbone.text.embedding.word.weight"])
    with pytest.raises(UserError, match=r"first holds a model already: give another, or ckpt_path=auto to go on"):
        prepare(composed(SHORT, first))
    with pytest.raises(UserError, match="init_from=nowhere holds no checkpoint"):
        prepare(composed([*SHORT, "init_from=nowhere"], tmp_path / "c"))
