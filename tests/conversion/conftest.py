"""What tests of conversion share."""

import copy
from functools import cache

import pytest
from omegaconf import DictConfig

from fiber.conversion import recipe

compose = recipe.composed


@cache
def composed_once(overrides: tuple[str, ...]) -> DictConfig:
    return compose(list(overrides))


@pytest.fixture(autouse=True)
def recipes_are_composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes half a second; every conversion gets a copy."""
    monkeypatch.setattr(recipe, "composed", lambda overrides: copy.deepcopy(composed_once(tuple(overrides))))
