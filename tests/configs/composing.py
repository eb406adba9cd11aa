"""Composed configurations of training runs."""

from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from fiber.tasks.building import optimization_values
from fiber.tasks.optimizer import FineOptimizationConfig
from fiber.utils.configs import build_dataclass

CONFIGS = Path(__file__).parents[2] / "configs"


def options(group: str) -> list[str]:
    """Choices of a group; files named `*_base` are what others build on."""
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml") if not path.stem.endswith("_base"))


@cache
def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("train", overrides=list(overrides))


def fine_optimization(config: DictConfig) -> FineOptimizationConfig:
    return build_dataclass(FineOptimizationConfig, optimization_values(config, num_samples=10_000), "optimization")
