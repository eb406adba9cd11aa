"""Plan: python scripts/plan.py stage=coarse [task=pretrain] [gpu=h100] [devices=8] [group=option] [key=value]"""

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fiber.planning.running import run_plan
from fiber.utils.errors import UserError


@hydra.main(config_path="../configs", config_name="plan", version_base="1.3")
def main(config: DictConfig) -> None:
    try:
        run_plan(config, data=HydraConfig.get().runtime.choices["data"])
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
