"""What `prepare_data.py` can do."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from omegaconf import DictConfig

from fiber.preparation.coco_folder import write_split
from fiber.preparation.document_frequencies import write_document_frequencies
from fiber.preparation.options import refuse_options
from fiber.preparation.packing import pack
from fiber.preparation.subset import write_subset
from fiber.preparation.verify import verify_data
from fiber.utils.errors import UserError


class Command(NamedTuple):
    """What a first word of the command line stands for."""

    run: Callable[[DictConfig], int | None]
    """Returns the status to exit with; None = 0."""
    options: frozenset[str] = frozenset()
    """Of `OPTIONS`, those that it takes."""


OPTIONS = ("split", "set_number", "max_samples", "shard_megabytes", "num_workers")
"""Those that are null unless they are given, and of some commands only."""
SET_OPTIONS = frozenset({"split", "set_number", "max_samples"})
COMMANDS: Mapping[str, Command] = {
    "coco-folder": Command(write_split, SET_OPTIONS),
    "document-frequencies": Command(write_document_frequencies),
    "pack": Command(pack, SET_OPTIONS | {"shard_megabytes"}),
    "subset": Command(write_subset, frozenset({"max_samples"})),
    "verify": Command(verify_data, frozenset({"num_workers"})),
}
"""By the first word."""


def prepare_data(config: DictConfig) -> int:
    """Run one command.

    Args:
        config: composed from `configs/prepare_data.yaml`.

    Returns:
        Status to exit with.

    Raises:
        UserError: no such command, an option that it does not take, or what the command says.
    """
    if config.command not in COMMANDS:
        asked = "no command is given" if config.command is None else f"there is no command {config.command}"
        raise UserError(f"{asked}: type prepare_data.py and one of {', '.join(COMMANDS)}.")
    command = COMMANDS[config.command]
    refuse_options(config, config.command, (key for key in OPTIONS if key not in command.options))
    return command.run(config) or 0
