"""Tasks that the coarse backbone is fine-tuned for."""

from collections.abc import Mapping

from fiber.tasks.coarse.caption.builder import CaptionBuilder
from fiber.tasks.coarse.nlvr2.builder import Nlvr2Builder
from fiber.tasks.coarse.retrieval.builder import RetrievalBuilder
from fiber.tasks.coarse.task_builder import TaskBuilder
from fiber.tasks.coarse.vqa.builder import VqaBuilder

COARSE_TASKS: Mapping[str, type[TaskBuilder]] = {
    "caption": CaptionBuilder,
    "nlvr2": Nlvr2Builder,
    "retrieval": RetrievalBuilder,
    "vqa": VqaBuilder,
}
"""How each is built, by the name that `task=` takes."""
