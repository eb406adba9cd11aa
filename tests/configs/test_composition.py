"""Every config file composes, mirrors its dataclass, and refuses keys that do not exist."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf

from fiber.objectives.pretraining import PretrainingObjectiveConfig
from fiber.tasks.building import build_model_config, plain
from fiber.tasks.optimizer import CoarseOptimizationConfig
from fiber.tasks.trainer_config import TrainerConfig
from fiber.utils.configs import build_dataclass

CONFIGS = Path(__file__).parents[2] / "configs"
BASES = {"data": "base"}
"""Files that other options of their group build on."""


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml") if path.stem != BASES.get(group))


def composed(overrides: Sequence[str]) -> DictConfig:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("train", overrides=["data=shapes", *overrides])


@pytest.mark.parametrize(
    "override",
    [
        f"{group}={option}"
        for group in ("model", "trainer", "precision", "tokenizer", "experiment", "debug")
        for option in options(group)
    ],
)
def test_every_option_composes_and_fills_its_dataclasses(override: str) -> None:
    config = composed([override])
    OmegaConf.resolve(config)
    build_dataclass(TrainerConfig, plain(config.trainer), "trainer")
    build_dataclass(CoarseOptimizationConfig, plain(config.optimization), "optimization")
    build_dataclass(PretrainingObjectiveConfig, plain(config.objective), "objective")
    build_model_config(config.model, image_size=config.image_size, max_text_length=16, vocab_size=300)


@pytest.mark.parametrize("option", options("data"))
def test_every_data_set_composes_with_a_training_and_a_validation_reader(option: str) -> None:
    config = composed([f"data={option}", "data_dir=somewhere"])
    assert all("_target_" in reader for reader in [*config.data.train, config.data.val])


@pytest.mark.parametrize("option", options("logger"))
def test_every_logger_writes_to_the_run_directory(option: str) -> None:
    config = composed([f"logger=[{option}]", "run_dir=some/run"])
    assert [logger.save_dir for logger in config.logger.values()] == ["some/run"]


def test_coarse_pretraining_is_the_paper_recipe() -> None:
    config = composed(["stage=coarse"])
    optimization = build_dataclass(CoarseOptimizationConfig, plain(config.optimization), "optimization")
    assert (optimization.learning_rate, optimization.batch_size, optimization.max_steps) == (1e-5, 4096, 100_000)
    groups = optimization.groups
    assert (groups.weight_decay, groups.head_multiplier, groups.cross_modal_multiplier) == (0.01, 5, 5)
    assert optimization.schedule.warmup_steps(optimization.max_steps) == 10_000
    assert (config.image_size, config.max_text_length, config.objective.queue_size) == (384, 40, 4096)
    model = build_model_config(config.model, image_size=384, max_text_length=40, vocab_size=50265)
    assert (model.image.embed_dim, tuple(model.image.depths), model.image.window_size) == (128, (2, 2, 18, 2), 12)


def test_command_line_wins_over_an_experiment() -> None:
    config = composed(["experiment=demo", "model=small", "trainer=ddp", "optimization.max_steps=3"])
    assert config.model.image.embed_dim == 96
    assert config.trainer.strategy == "ddp"
    assert config.optimization.max_steps == 3


@pytest.mark.parametrize(
    "key", ["nonsense", "trainer.nonsense", "optimization.groups.nonsense", "model.image.nonsense"]
)
def test_an_unknown_key_does_not_compose(key: str) -> None:
    with pytest.raises(ConfigCompositionException, match=key):
        composed(["experiment=demo", f"{key}=1"])
