"""Configurations as `scripts/prepare_data.py` composes them."""

from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from fiber.utils.overrides import with_command

CONFIGS = Path(__file__).parents[2] / "configs"


def composed(*arguments: str) -> DictConfig:
    """Of a command line."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("prepare_data", overrides=with_command(arguments))
