"""Train: python scripts/train.py stage=coarse [task=pretrain] [experiment=demo] [group=option] [key=value]"""

import hydra
from omegaconf import DictConfig

from fiber.tasks.training import train
from fiber.utils.errors import exit_on_user_error


@hydra.main(config_path="../configs", config_name="train", version_base="1.3")
def main(config: DictConfig) -> None:
    with exit_on_user_error():
        train(config)


if __name__ == "__main__":
    main()
