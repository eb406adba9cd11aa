"""What `prepare_data.py` can do."""

from collections.abc import Callable, Mapping

from omegaconf import DictConfig

from fiber.preparation.coco_folder import write_split
from fiber.preparation.document_frequencies import write_document_frequencies
from fiber.preparation.packing import pack
from fiber.preparation.subset import write_subset
from fiber.preparation.verify import verify_data
from fiber.utils.errors import UserError

COMMANDS: Mapping[str, Callable[[DictConfig], int | None]] = {
    "coco-folder": write_split,
    "document-frequencies": write_document_frequencies,
    "pack": pack,
    "subset": write_subset,
    "verify": verify_data,
}
"""By the first word of the command line. What one returns is the status to exit with; None = 0."""


def prepare_data(config: DictConfig) -> int:
    """Run one command.

    Args:
        config: composed from `configs/prepare_data.yaml`.

    Returns:
        Status to exit with.

    Raises:
        UserError: no such command, or what the command says.
    """
    if config.command not in COMMANDS:
        asked = "no command is given" if config.command is None else f"there is no command {config.command}"
        raise UserError(f"{asked}: type prepare_data.py and one of {', '.join(COMMANDS)}.")
    return COMMANDS[config.command](config) or 0
