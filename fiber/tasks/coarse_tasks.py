"""Tasks that the coarse backbone is fine-tuned for."""

from collections.abc import Mapping

from fiber.tasks.task_builder import TaskBuilder

COARSE_TASKS: Mapping[str, type[TaskBuilder]] = {}
"""How each is built, by the name that `task=` takes."""
