"""Prepare data: python scripts/prepare_data.py COMMAND data=... [data_dir=/data] ...; see configs/prepare_data.yaml.

The exit status is 0, 1 if `verify` finds something missing or unreadable, 2 after any error, and 130 after Ctrl-C.
"""

import sys

import hydra
from omegaconf import DictConfig

from fiber.preparation.commands import prepare_data
from fiber.utils.errors import ERROR_STATUS, exit_on_user_error
from fiber.utils.overrides import with_command

statuses: list[int] = []
"""Of the command, which Hydra would not hand on."""


@hydra.main(config_path="../configs", config_name="prepare_data", version_base="1.3")
def main(config: DictConfig) -> None:
    with exit_on_user_error():
        statuses.append(prepare_data(config))


if __name__ == "__main__":
    sys.argv[1:] = with_command(sys.argv[1:])
    try:
        main()
    except SystemExit as stopped:  # Hydra's own status of a wrong command line is 1
        sys.exit(ERROR_STATUS if stopped.code == 1 else stopped.code)
    sys.exit(max(statuses, default=0))
