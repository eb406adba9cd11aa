"""Tasks that the coarse backbone is fine-tuned for."""

from collections.abc import Mapping

from fiber.tasks.task_builder import TaskBuilder
from fiber.tasks.vqa.builder import VqaBuilder

COARSE_TASKS: Mapping[str, type[TaskBuilder]] = {
    "vqa": VqaBuilder,
}
"""How each is built, by the name that `task=` takes."""
