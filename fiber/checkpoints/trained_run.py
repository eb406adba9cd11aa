"""What a run leaves of its model, read back."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor
from yaml import YAMLError  # type: ignore[import-untyped]

from fiber.checkpoints.foreign_file import SAFETENSORS, read_foreign_file
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

INTERPOLATION = "${"
NAMES = ("stage.name", "task.name")
"""Keys that the configuration of every run has."""


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
            raise UserError(
                f"checkpoint={path}: {file} is missing: leave checkpoints in the directory of their run, or, if it is "
                f"the original's, convert it first: python scripts/convert_checkpoint.py input={path} output=FOLDER"
            )
    return files


def read_run_config(path: Path) -> DictConfig:
    """Configuration of a run, which is stored resolved.

    Raises:
        UserError: the file is damaged or something else, or it has an interpolation, which would take what it names
            from this machine.
    """
    try:
        config = OmegaConf.load(path)
        content = OmegaConf.to_container(config, resolve=False)
    except (YAMLError, UnicodeDecodeError, OSError, OmegaConfBaseException) as error:
        raise UserError(f"{path} cannot be read as the configuration of a run: {error}") from error
    open_value = next((text for text in texts(content) if INTERPOLATION in text), None)
    if open_value is not None:
        raise UserError(f"{path} has {open_value} in place of a value, which no run writes: put the value there.")
    names = [OmegaConf.select(config, key) for key in NAMES] if isinstance(config, DictConfig) else []
    if not isinstance(config, DictConfig) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path} is not the configuration of a run: give the directory of one.")
    return config


def texts(content: Any) -> Iterator[str]:
    """All keys and values that are text, at any depth."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from texts(key)
            yield from texts(value)
    elif isinstance(content, list):
        for value in content:
            yield from texts(value)
    elif isinstance(content, str):
        yield content


def read_run_weights(path: Path) -> Mapping[str, Tensor]:
    """The model's tensors of a checkpoint by its own names; nothing in it is executed.

    Raises:
        UserError: the file is damaged or no checkpoint of a run.
    """
    exported = path.suffix == SAFETENSORS
    expected = "the file that was exported" if exported else f"another of the run, such as {BEST} or {LAST}"
    content = read_foreign_file(path, option="checkpoint", expected=expected).content
    if exported:
        return dict(content)
    state = content.get("state_dict") if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"checkpoint={path} is no checkpoint of a training run: give {BEST} of one.")
    return {name.removeprefix(OURS): value for name, value in state.items() if name.startswith(OURS)}
