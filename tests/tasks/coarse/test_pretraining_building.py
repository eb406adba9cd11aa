"""Wrong input to the coarse stage ends in one clear message before any training."""

from pathlib import Path

import pytest
from hydra.errors import HydraException

from fiber.tasks.training import prepare
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
