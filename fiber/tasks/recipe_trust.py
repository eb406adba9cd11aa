"""What a recipe read from disk may name, which whoever wrote it chose: classes of the library alone."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import FunctionType
from typing import Any, get_type_hints

from omegaconf import DictConfig

from fiber.data.readers.base import Reader
from fiber.tasks.coarse.task_builder import TaskBuilder
from fiber.utils.configs import plain
from fiber.utils.errors import UserError

PACKAGE = "fiber"
TARGET = "_target_"
TRUST = (
    "It is not of this library, and to use it is to run its code: give trust_recipe=true if you trust whoever wrote it"
)


def check_readers(data: DictConfig, where: str) -> None:
    """Raise a UserError unless all that would be built for the data are readers of the library.

    Args:
        data: the `data` part of a recipe.
        where: the file of the recipe, for messages.
    """
    for path in targets(plain(data)):
        if not builds_readers(find_own(path)):
            raise UserError(f"{where}: data are read by {path}. {TRUST}, or give data of your choice, data=...")


def check_builder(path: str, where: str) -> None:
    """Raise a UserError unless the dotted path is that of a class of the library that builds tasks."""
    found = find_own(path)
    if not (isinstance(found, type) and issubclass(found, TaskBuilder)):
        raise UserError(f"{where}: the task is built by {path}. {TRUST}.")


def targets(content: Any) -> Iterator[Any]:
    """Every `_target_`, at any depth."""
    if isinstance(content, Mapping):
        if TARGET in content:
            yield content[TARGET]
        for value in content.values():
            yield from targets(value)
    elif isinstance(content, list):
        for value in content:
            yield from targets(value)


def find_own(path: Any) -> Any:
    """What a dotted path names where the library itself defines it; else None. No module of others is imported."""
    module, _, name = path.rpartition(".") if isinstance(path, str) else ("", "", "")
    parts = module.split(".")
    if parts[0] != PACKAGE or not all(part.isidentifier() for part in (*parts, name)):
        return None
    try:
        found = getattr(import_module(module), name, None)
    except ModuleNotFoundError:
        return None
    return found if getattr(found, "__module__", None) == module else None


def builds_readers(found: Any) -> bool:
    """Whether this is a class of readers, or a function that chooses one."""
    kind = get_type_hints(found).get("return") if isinstance(found, FunctionType) else found
    return isinstance(kind, type) and issubclass(kind, Reader)
