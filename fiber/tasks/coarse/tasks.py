"""Tasks that the coarse backbone is fine-tuned for."""

from collections.abc import Mapping
from importlib import import_module

from omegaconf import DictConfig

from fiber.tasks.coarse.caption.builder import CaptionBuilder
from fiber.tasks.coarse.nlvr2.builder import Nlvr2Builder
from fiber.tasks.coarse.retrieval.builder import RetrievalBuilder
from fiber.tasks.coarse.task_builder import TaskBuilder
from fiber.tasks.coarse.vqa.builder import VqaBuilder
from fiber.utils.errors import UserError

COARSE_TASKS: Mapping[str, type[TaskBuilder]] = {
    "caption": CaptionBuilder,
    "nlvr2": Nlvr2Builder,
    "retrieval": RetrievalBuilder,
    "vqa": VqaBuilder,
}
"""How each is built, by the name that `task=` takes."""


def has_own_builder(task: DictConfig) -> bool:
    """Whether a `task` part names its builder, and need not be one of the library's."""
    return task.get("builder") is not None


def find_task_builder(task: DictConfig) -> type[TaskBuilder]:
    """How a task is built: by the class that `builder` names, else as the library's task of that name.

    Args:
        task: the `task` part of a configuration, with `name` and perhaps `builder`, a dotted path to a class.

    Raises:
        UserError: the path leads to no class that builds tasks.
    """
    if not has_own_builder(task):
        return COARSE_TASKS[task.name]
    return import_builder(task.builder)


def import_builder(path: str) -> type[TaskBuilder]:
    """The class that a dotted path names.

    Raises:
        UserError: there is no such class, or it builds no tasks.
    """
    where = f"task.builder={path}"
    module, _, name = path.rpartition(".")
    if not module:
        raise UserError(f"{where} names no module: give MODULE.CLASS, such as counting.CountingBuilder.")
    try:
        found = getattr(import_module(module), name, None)
    except ImportError as error:
        raise UserError(
            f"{where}: {error}. Install the package, or put the folder of the module into PYTHONPATH."
        ) from error
    if found is None:
        raise UserError(f"{where}: the module {module} has no {name}.")
    if not (isinstance(found, type) and issubclass(found, TaskBuilder)):
        raise UserError(f"{where} is no subclass of {TaskBuilder.__module__}.{TaskBuilder.__name__}.")
    missing = sorted(found.__abstractmethods__) + [one for one in ("reader_kind", "wanted") if not hasattr(found, one)]
    if missing:
        raise UserError(f"{where} lacks {', '.join(missing)}, which every TaskBuilder has.")
    return found
