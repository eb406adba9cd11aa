"""What a run of the fine stage reads."""

from collections.abc import Sequence
from typing import NamedTuple, cast

from omegaconf import DictConfig, ListConfig

from fiber.data.class_wording import shortened
from fiber.data.readers.task_readers import BoxReader, DetectionReader, ReferringReader
from fiber.tasks.building import build_reader
from fiber.tasks.fine.tasks import FINE_TASKS, PRETRAINING
from fiber.tasks.judging import find_split
from fiber.utils.configs import convert
from fiber.utils.errors import UserError


class FineReaders(NamedTuple):
    """Of one run."""

    train: list[BoxReader]
    val: list[BoxReader]
    """Pre-training may validate on several sets, a task on one."""
    final: BoxReader | None
    """The split on which the best model is judged in the end."""

    @property
    def judged(self) -> list[BoxReader]:
        """All that is not learned from."""
        return self.val if self.final is None else [*self.val, self.final]


def build_readers(config: DictConfig) -> FineReaders:
    """All that a run reads, the split of `final_split` too: it would be missed after training only.

    Args:
        config: composed from `configs/train.yaml` with `stage=fine`.

    Raises:
        UserError: what the readers say; a reader of something else than the task reads; `final_split` names no split.
    """
    final = final_split(config)
    val = config.data.val if isinstance(config.data.val, ListConfig) else [config.data.val]
    return FineReaders(
        [build_box_reader(reader, config.task.name) for reader in config.data.train],
        [build_box_reader(reader, config.task.name) for reader in val],
        None if final is None else build_box_reader(find_split(config, final, key="final_split"), config.task.name),
    )


def final_split(config: DictConfig) -> str | None:
    """The split on which the best model is judged in the end.

    Raises:
        UserError: it is no text.
    """
    split: str | None = convert(str | None, config.get("final_split"), "final_split")
    return split


def build_box_reader(config: DictConfig, task: str) -> BoxReader:
    """A reader of what a task of the fine stage reads.

    Args:
        config: class and arguments.
        task: its name.

    Raises:
        UserError: what the reader says, or it reads something else.
    """
    wanted = FINE_TASKS.get(task, PRETRAINING)
    kind = cast(type[BoxReader], wanted.reader_kind)
    reader = build_reader(config, kind, wanted=wanted.wanted, suited=f"fine_{task}")
    if wanted.benchmark is not None and isinstance(reader, ReferringReader) and reader.dataset != wanted.benchmark:
        raise UserError(f"data: {reader.name} is of {reader.dataset}: give task={reader.dataset}, or other data.")
    return reader


def require_same_classes(readers: FineReaders, *, ordered: bool) -> None:
    """Raise a UserError if a detector would learn other classes than those by which it is judged.

    Args:
        readers: of a task; those of pre-training may differ.
        ordered: the classes must be in the same order too, because something counts on their places.
    """
    for learned in readers.train:
        for judged in readers.judged:
            if isinstance(learned, DetectionReader) and isinstance(judged, DetectionReader):
                compare_classes(learned, judged, ordered=ordered)


def compare_classes(learned: DetectionReader, judged: DetectionReader, *, ordered: bool) -> None:
    """Raise a UserError if two sets differ in their classes. Arguments as for `require_same_classes`."""
    lacking = [
        f"{poorer.name} lacks {shortened(missing)} of {richer.name}"
        for richer, poorer in ((learned, judged), (judged, learned))
        if (missing := absent(richer.classes, poorer.classes))
    ]
    if lacking:
        raise UserError(f"data: {'; '.join(lacking)}: list the same classes in the annotations of both.")
    if ordered and list(learned.classes) != list(judged.classes):
        raise UserError(
            f"data: the classes of {learned.name} are in the order {shortened(learned.classes)}, those of "
            f"{judged.name} in the order {shortened(judged.classes)}: data.prompts and tuned prompts go by places, so "
            "list them in one order, or give data.prompts=null and another tuning."
        )


def absent(classes: Sequence[str], others: Sequence[str]) -> list[str]:
    """Classes that are not among others."""
    return [name for name in classes if name not in set(others)]
