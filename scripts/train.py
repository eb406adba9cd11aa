"""Train: python scripts/train.py stage=coarse [task=pretrain] [experiment=demo] [group=option] [key=value]"""

import sys

import hydra
from omegaconf import DictConfig

from fiber.tasks.training import train
from fiber.utils.errors import UserError


@hydra.main(config_path="../configs", config_name="train", version_base="1.3")
def main(config: DictConfig) -> None:
    try:
        train(config)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
