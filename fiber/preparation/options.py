"""Options that several commands take."""

from collections.abc import Iterable
from pathlib import Path

from omegaconf import DictConfig

from fiber.utils.configs import convert
from fiber.utils.errors import UserError


def refuse_options(config: DictConfig, command: str, keys: Iterable[str]) -> None:
    """Raise a UserError if an option has a value, though it should be null since the command takes no notice of it."""
    for key in keys:
        if config.get(key) is not None:
            raise UserError(f"{key}={config[key]} is no option of {command}: leave it out.")


def required_output(config: DictConfig, *, example: str = "FOLDER") -> str:
    """What is written.

    Raises:
        UserError: it is not given.
    """
    if config.output is None:
        raise UserError(f"output is missing: give output={example}.")
    return str(config.output)


def positive(config: DictConfig, key: str) -> int | None:
    """A whole number from 1, or null for no limit.

    Raises:
        UserError: it is something else.
    """
    value: int | None = convert(int | None, config[key], key)
    if value is not None and value < 1:
        raise UserError(f"{key}={value}: give 1 or more, or null for no limit.")
    return value


def required_positive(config: DictConfig, key: str, *, example: int) -> int:
    """A whole number from 1.

    Raises:
        UserError: it is something else, or null.
    """
    value: int | None = convert(int | None, config[key], key)
    if value is None or value < 1:
        raise UserError(f"{key}={'null' if value is None else value}: give 1 or more, such as {key}={example}.")
    return value


def share(config: DictConfig, key: str) -> float:
    """A number from 0 to 1.

    Raises:
        UserError: it is something else.
    """
    value: float = convert(float, config[key], key)
    if not 0 <= value <= 1:
        raise UserError(f"{key}={value}: give a share from 0 to 1, such as {key}=0.01.")
    return value


def require_writable(output: str) -> Path:
    """A file that is to be written, checked before the work that it takes; its folder is made.

    Raises:
        UserError: it is a folder, or cannot be written.
    """
    path = Path(output)
    if path.is_dir():
        raise UserError(f"output={output} is a folder: give the name of a file, such as output={path / 'found.json'}.")
    probe = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"output={output} cannot be written ({error.strerror}): give another file.") from error
    return path


def require_empty(output: str | Path) -> Path:
    """A folder that is to be filled: there is none yet, or it holds nothing.

    Raises:
        UserError: it holds something, or is no folder.
    """
    path = Path(output)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"output={output} is there already: give a new or an empty folder.")
    return path


def make_folder(path: Path) -> None:
    """Make a folder, unless there is one.

    Raises:
        UserError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"output={path} cannot be made a folder ({error.strerror}): give another output.") from error
