"""The recipe of a model that is handed on: the configuration of its run without what is of the trainer's machine."""

from pathlib import PurePath
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fiber.utils.configs import plain

OF_MACHINE = ("run_dir", "ckpt_path", "init_from", "logger")
"""Keys that say where a run wrote and what it read; nothing that reads a recipe needs them."""
OF_DATA = ("data", "data_dir")
"""Keys whose paths stay, since the same data are judged by them."""


def published_recipe(recipe: DictConfig) -> DictConfig:
    """The recipe, resolved, with names in place of absolute paths outside of the data."""
    kept = {key: value for key, value in plain(recipe).items() if key not in OF_MACHINE}
    return OmegaConf.create({key: value if key in OF_DATA else without_folders(value) for key, value in kept.items()})


def without_folders(value: Any) -> Any:
    """A value with the last part of every absolute path in it."""
    if isinstance(value, dict):
        return {key: without_folders(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_folders(one) for one in value]
    is_place = isinstance(value, str) and (PurePath(value).is_absolute() or value.startswith("~"))
    return PurePath(value).name if is_place else value
