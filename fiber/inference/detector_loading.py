"""A trained detector from the directory of its run."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor

from fiber.checkpoints.model_configs import build_detector_config
from fiber.checkpoints.run_folder import CONFIG_FILE
from fiber.checkpoints.trained_run import find_run_files, read_run_config, read_run_weights
from fiber.data.grounding_data_module import VAL_SHORT_SIDE
from fiber.data.tokenization import TextTokenizer
from fiber.models.grounded_detector import GroundedDetector
from fiber.utils.errors import UserError


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
    require_fine(config.stage.name, files.config)
    tokenizer = TextTokenizer.from_file(files.tokenizer)
    try:
        detector = build_detector_config(config, vocab_size=tokenizer.vocab_size)
        short_side, max_side = int(config.data.val_short_side or VAL_SHORT_SIDE), int(config.transform.max_side)
    except OmegaConfBaseException as error:
        raise UserError(f"{files.config} is not as a fine run writes it: {str(error).splitlines()[0]}") from error
    model = GroundedDetector(detector)
    fill(model, read_run_weights(files.checkpoint), files.checkpoint)
    return LoadedDetector(model.eval().to(device), tokenizer, short_side, max_side)


def require_fine(stage: str, path: Path) -> None:
    """Raise a UserError if the run is of another stage."""
    if stage == "coarse":
        raise UserError(
            f"{path} is of a coarse run, which has no detector. Train one that starts from it: "
            f"python scripts/train.py stage=fine init_from={path.parent}"
        )
    if stage != "fine":
        raise UserError(f"{path} is not the configuration of a fine run: give the directory of one.")


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
