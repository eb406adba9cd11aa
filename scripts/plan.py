"""Plan: python scripts/plan.py stage=coarse [task=pretrain] [gpu=h100] [devices=8] [group=option] [key=value]"""

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from fiber.planning.running import run_plan
from fiber.utils.errors import exit_on_user_error


@hydra.main(config_path="../configs", config_name="plan", version_base="1.3")
def main(config: DictConfig) -> None:
    with exit_on_user_error():
        run_plan(config, data=HydraConfig.get().runtime.choices["data"])


if __name__ == "__main__":
    main()
