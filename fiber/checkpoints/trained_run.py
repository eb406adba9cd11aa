"""What a run leaves of its model, read back."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from yaml import YAMLError  # type: ignore[import-untyped]

from fiber.checkpoints.foreign_file import SAFETENSORS
from fiber.checkpoints.initialization import OURS
from fiber.checkpoints.run_folder import (
    BEST,
    CONFIG_FILE,
    EXPORTED_WEIGHTS,
    LAST,
    TOKENIZER_FOLDER,
    find_weights,
    is_sharded,
    refuse_sharded,
    run_of,
)
from fiber.data.tokenization import TOKENIZER_FILE
from fiber.utils.errors import UserError


class RunFiles(NamedTuple):
    """Where it lies."""

    config: Path
    tokenizer: Path
    checkpoint: Path

    @property
    def directory(self) -> Path:
        return self.config.parent


def find_run_files(path: Path) -> RunFiles:
    """Checkpoint, configuration and tokeniser of a run.

    Args:
        path: directory of a run (its best checkpoint, else its last) or of an exported model, or a checkpoint in one.

    Raises:
        UserError: one is missing, or the checkpoint is sharded.
    """
    if not path.exists():
        raise UserError(f"checkpoint={path} does not exist: give the directory of a run, or a checkpoint in one.")
    checkpoint = find_weights(path) if path.is_dir() and not is_sharded(path) else path
    if checkpoint is None:
        raise UserError(
            f"checkpoint={path} holds neither checkpoints/{BEST} or {LAST} nor {EXPORTED_WEIGHTS}: give the directory "
            "of a run or of an exported model."
        )
    refuse_sharded(checkpoint, key="checkpoint")
    run = run_of(checkpoint)
    files = RunFiles(run / CONFIG_FILE, run / TOKENIZER_FOLDER / TOKENIZER_FILE, checkpoint)
    for file in (files.config, files.tokenizer):
        if not file.is_file():
            raise UserError(f"checkpoint={path}: {file} is missing: leave checkpoints in the directory of their run.")
    return files


def read_run_config(path: Path) -> DictConfig:
    """Configuration of a run.

    Raises:
        UserError: the file is damaged or something else.
    """
    try:
        config = OmegaConf.load(path)
        stage = OmegaConf.select(config, "stage.name")
    except (YAMLError, UnicodeDecodeError, OSError, OmegaConfBaseException) as error:
        raise UserError(f"{path} cannot be read as the configuration of a run: {error}") from error
    if not isinstance(config, DictConfig) or stage is None:
        raise UserError(f"{path} is not the configuration of a run: give the directory of one.")
    return config


def read_run_weights(path: Path) -> Mapping[str, Tensor]:
    """The model's tensors of a checkpoint by its own names; nothing in it is executed.

    Raises:
        UserError: the file is damaged or no checkpoint of a run.
    """
    try:
        if path.suffix == SAFETENSORS:
            return load_file(path)
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise UserError(
            f"checkpoint={path} is damaged or no checkpoint ({type(error).__name__}): give another of the run, such as "
            f"{BEST} or {LAST}."
        ) from error
    state = content.get("state_dict") if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping):
        raise UserError(f"checkpoint={path} is no checkpoint of a training run: give {BEST} of one.")
    return {name.removeprefix(OURS): value for name, value in state.items() if name.startswith(OURS)}
