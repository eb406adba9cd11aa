"""What `prepare_data.py` can do."""

from collections.abc import Callable, Mapping

from omegaconf import DictConfig

from fiber.preparation.coco_folder import write_split
from fiber.preparation.document_frequencies import write_document_frequencies
from fiber.utils.errors import UserError

COMMANDS: Mapping[str, Callable[[DictConfig], None]] = {
    "coco-folder": write_split,
    "document-frequencies": write_document_frequencies,
}
"""By the first word of the command line."""


def prepare_data(config: DictConfig) -> None:
    """Run one command.

    Args:
        config: composed from `configs/prepare_data.yaml`.

    Raises:
        UserError: no such command, or what the command says.
    """
    if config.command not in COMMANDS:
        asked = "no command is given" if config.command is None else f"there is no command {config.command}"
        raise UserError(f"{asked}: type prepare_data.py and one of {', '.join(COMMANDS)}.")
    COMMANDS[config.command](config)
