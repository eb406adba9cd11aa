"""Configurations of runs and their evaluation, composed as the scripts do."""

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

CONFIGS = Path(__file__).parents[2] / "configs"


def composed(overrides: Sequence[str], run_dir: Path) -> DictConfig:
    """A demo with other values here and there."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("train", overrides=["experiment=demo", f"run_dir={run_dir}", *overrides])


def composed_recipe(overrides: Sequence[str]) -> DictConfig:
    """A run by the paper's recipe on real data."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("train", overrides=["data_dir=/data", "run_dir=run", *overrides])


def evaluating(overrides: Sequence[str], run: Path) -> DictConfig:
    """Evaluation of a run on one CPU."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("evaluate", overrides=[f"checkpoint={run}", "trainer=cpu", *overrides])
