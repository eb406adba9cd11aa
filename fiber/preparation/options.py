"""Options that several commands take."""

from omegaconf import DictConfig

from fiber.utils.configs import convert
from fiber.utils.errors import UserError


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
