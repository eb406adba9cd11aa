"""Prepare data: python scripts/prepare_data.py document-frequencies|coco-folder data=... [data_dir=/data] output=..."""

import sys

import hydra
from omegaconf import DictConfig

from fiber.preparation.commands import prepare_data
from fiber.utils.errors import UserError
from fiber.utils.overrides import with_command


@hydra.main(config_path="../configs", config_name="prepare_data", version_base="1.3")
def main(config: DictConfig) -> None:
    try:
        prepare_data(config)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    sys.argv[1:] = with_command(sys.argv[1:])
    main()
