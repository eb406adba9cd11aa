"""A trained detector from the directory of its run."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor
from yaml import YAMLError  # type: ignore[import-untyped]

from fiber.checkpoints.model_configs import build_detector_config
from fiber.checkpoints.run_folder import (
    BEST,
    CONFIG_FILE,
    LAST,
    SHARDED_META,
    TOKENIZER_FOLDER,
    checkpoint_folder,
)
from fiber.data.tokenization import TOKENIZER_FILE, TextTokenizer
from fiber.models.grounded_detector import GroundedDetector
from fiber.utils.errors import UserError

PREFIX = "model."
"""Beginning of the model's tensors in a checkpoint."""
CONSOLIDATE = "python -m torch.distributed.checkpoint.format_utils dcp_to_torch"


class RunFiles(NamedTuple):
    """What a run leaves of its model."""

    config: Path
    tokenizer: Path
    checkpoint: Path


class LoadedDetector(NamedTuple):
    """A detector with what it needs to see and read."""

    model: GroundedDetector
    """In evaluation mode; the averaged weights if the run averaged them."""
    tokenizer: TextTokenizer
    short_side: int
    """Pixels to which the run resized what it validated on."""
    max_side: int
    """Pixels of the longer side at most."""


def load_detector(path: Path, *, device: torch.device | str = "cpu") -> LoadedDetector:
    """Build the model as its run configured it and fill it.

    Args:
        path: directory of a fine run (its best checkpoint, else its last), or a checkpoint in one.
        device: to put the model on.

    Raises:
        UserError: anything is missing, damaged, or of another stage.
    """
    files = find_run_files(path)
    config = read_run_config(files.config)
    tokenizer = TextTokenizer.from_file(files.tokenizer)
    try:
        detector = build_detector_config(config, vocab_size=tokenizer.vocab_size)
        short_side, max_side = int(config.data.val_short_side), int(config.transform.max_side)
    except OmegaConfBaseException as error:
        raise UserError(f"{files.config} is not as a fine run writes it: {str(error).splitlines()[0]}") from error
    model = GroundedDetector(detector)
    fill(model, read_weights(files.checkpoint), files.checkpoint)
    return LoadedDetector(model.eval().to(device), tokenizer, short_side, max_side)


def find_run_files(path: Path) -> RunFiles:
    """Checkpoint, configuration and tokeniser of a run.

    Raises:
        UserError: one is missing, or the checkpoint is sharded.
    """
    if not path.exists():
        raise UserError(f"checkpoint={path} does not exist: give the directory of a fine run, or a checkpoint in one.")
    candidates = [path]
    if path.is_dir() and not (path / SHARDED_META).exists():
        candidates = [checkpoint_folder(path) / name for name in (BEST, LAST)]
    checkpoint = next((candidate for candidate in candidates if candidate.exists()), None)
    if checkpoint is None:
        raise UserError(f"checkpoint={path} holds no checkpoints/{BEST} or {LAST}: give the directory of a fine run.")
    if checkpoint.is_dir():
        whole = checkpoint.with_name(f"{checkpoint.stem}_whole{checkpoint.suffix}")
        raise UserError(
            f"checkpoint={checkpoint} is sharded over processes: make one file of it with "
            f"`{CONSOLIDATE} {checkpoint} {whole}`, and give checkpoint={whole}."
        )
    run = checkpoint.absolute().parent.parent
    files = RunFiles(run / CONFIG_FILE, run / TOKENIZER_FOLDER / TOKENIZER_FILE, checkpoint)
    for file in (files.config, files.tokenizer):
        if not file.is_file():
            raise UserError(f"checkpoint={path}: {file} is missing: leave checkpoints in the directory of their run.")
    return files


def read_run_config(path: Path) -> DictConfig:
    """Configuration of a fine run.

    Raises:
        UserError: the file is damaged, or the run is of another stage.
    """
    try:
        config = OmegaConf.load(path)
        stage = OmegaConf.select(config, "stage.name")
    except (YAMLError, UnicodeDecodeError, OSError, OmegaConfBaseException) as error:
        raise UserError(f"{path} cannot be read as the configuration of a run: {error}") from error
    if stage == "coarse":
        raise UserError(
            f"{path} is of a coarse run, which has no detector. Train one that starts from it: "
            f"python scripts/train.py stage=fine init_from={path.parent}"
        )
    if stage != "fine" or not isinstance(config, DictConfig):
        raise UserError(f"{path} is not the configuration of a fine run: give the directory of one.")
    return config


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """The model's tensors of a checkpoint by its own names; nothing in it is executed.

    Raises:
        UserError: the file is damaged or no checkpoint of a run.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise UserError(
            f"checkpoint={path} is damaged or no checkpoint ({type(error).__name__}): give another of the run, such as "
            f"{BEST} or {LAST}."
        ) from error
    state = content.get("state_dict") if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping):
        raise UserError(f"checkpoint={path} is no checkpoint of a training run: give {BEST} of a fine run.")
    return {name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)}


def fill(model: GroundedDetector, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load all weights, in place.

    Raises:
        UserError: one is missing, left over or of another shape.
    """
    own = model.state_dict()
    odd = sorted(own.keys() ^ weights.keys()) or [name for name in own if own[name].shape != weights[name].shape]
    if odd:
        raise UserError(
            f"checkpoint={path} does not fit {CONFIG_FILE} of its run: {len(odd)} tensors differ, {odd[0]} among them. "
            "Has the file been moved from another run?"
        )
    model.load_state_dict(weights)


def choose_device(name: str) -> torch.device:
    """`auto`, `cpu` or `cuda` as a device; `auto` takes a GPU where there is one.

    Raises:
        UserError: another name, or no GPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UserError(f"device={name}: give auto, cpu or cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: PyTorch sees no GPU here.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
