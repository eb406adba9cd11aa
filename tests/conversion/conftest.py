"""What tests of conversion share."""

import pytest

from fiber.conversion import recipe

from .recipes import composed_copy


@pytest.fixture(autouse=True)
def recipes_are_composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every conversion in this process."""
    monkeypatch.setattr(recipe, "composed", lambda overrides: composed_copy(*overrides))
