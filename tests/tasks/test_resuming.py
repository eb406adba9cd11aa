"""Finding a checkpoint, and refusing what is none."""

from pathlib import Path

import pytest
import torch

from fiber.checkpoints.run_folder import LAST, checkpoint_folder
from fiber.tasks.resuming import Position, find_checkpoint, read_position
from fiber.utils.errors import UserError


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    progress = {"epoch_loop.batch_progress": {"current": {"processed": 11}}}
    path = checkpoint_folder(tmp_path) / LAST
    path.parent.mkdir()
    torch.save({"epoch": 2, "loops": {"fit_loop": progress}, "weight": torch.zeros(1000)}, path)
    return path


def test_auto_takes_the_last_checkpoint_of_the_run_directory(checkpoint: Path, tmp_path: Path) -> None:
    assert find_checkpoint("auto", tmp_path) == checkpoint
    assert find_checkpoint("auto", tmp_path / "another") is None
    assert find_checkpoint(None, tmp_path) is None


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ckpt_path=.*absent\.ckpt does not exist"):
        find_checkpoint(str(tmp_path / "absent.ckpt"), tmp_path)


def test_position_is_epoch_and_batches_done(checkpoint: Path) -> None:
    assert read_position(checkpoint) == Position(epoch=2, batch=11)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(checkpoint: Path, share: float) -> None:
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match="damaged or no checkpoint"):
        read_position(checkpoint)


def test_text_and_foreign_checkpoints_are_refused(tmp_path: Path) -> None:
    text, foreign = tmp_path / "text.ckpt", tmp_path / "foreign.ckpt"
    text.write_text("not a checkpoint\n" * 100)
    torch.save({"state_dict": {}}, foreign)
    for path in (text, foreign):
        with pytest.raises(UserError, match="damaged or no checkpoint"):
            read_position(path)
