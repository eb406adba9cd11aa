"""Where an interrupted run goes on."""

import pickle
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch

from fiber.checkpoints.run_folder import LAST, SHARDED_META, checkpoint_folder
from fiber.utils.errors import UserError

AUTO = "auto"


class Position(NamedTuple):
    """Progress through the training data."""

    epoch: int
    batch: int
    """Micro-batches of that epoch already trained on."""


def find_checkpoint(ckpt_path: str | None, run_dir: Path) -> Path | None:
    """The checkpoint to resume from; with `auto` the last of the run directory, if there is one yet.

    Raises:
        UserError: a path that does not exist.
    """
    if ckpt_path is None:
        return None
    if ckpt_path == AUTO:
        last = checkpoint_folder(run_dir) / LAST
        return last if last.exists() else None
    if not Path(ckpt_path).exists():
        raise UserError(f"ckpt_path={ckpt_path} does not exist: give a checkpoint, or auto with the run's run_dir.")
    return Path(ckpt_path)


def read_position(checkpoint: Path) -> Position:
    """How far the run had come; also proves that the file can be read.

    Raises:
        UserError: the file is damaged or no checkpoint of a training run.
    """
    try:
        content: dict[str, Any] = torch.load(
            checkpoint / SHARDED_META if checkpoint.is_dir() else checkpoint,
            map_location="cpu",
            weights_only=True,
            mmap=not checkpoint.is_dir(),
        )
        progress = content["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]
        return Position(int(content["epoch"]), int(progress["processed"]))
    except (RuntimeError, EOFError, OSError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise UserError(
            f"ckpt_path: {checkpoint} is damaged or no checkpoint of a training run ({type(error).__name__}). Give "
            f"another, such as best.ckpt beside it, or start anew with ckpt_path=null."
        ) from error
