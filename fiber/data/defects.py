"""Annotations that a run passes over, counted by kind and named."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

MAX_NAMED = 5
"""Places named of each kind; more are only counted."""


class DefectKind(StrEnum):
    """What was passed over, in words for the log."""

    BOX_OUTSIDE = "a box outside of its image"
    BOX_EMPTY = "a box without area"
    BOX_NOT_FINITE = "a box that is no number"
    BOX_UNNAMED = "a box that no words name"
    SPAN_OUTSIDE = "a phrase outside of its caption"
    CAPTION_EMPTY = "an image whose caption is empty"
    CAPTION_CUT = "the end of a caption that is longer than the model reads"


class Defect(NamedTuple):
    """One thing that was passed over."""

    kind: DefectKind
    location: str
    """Of the image."""


class DefectLog:
    """Counts defects and tells which are worth a line in the log."""

    def __init__(self) -> None:
        self.counts = Counter[DefectKind]()

    def add(self, defects: Iterable[Defect]) -> list[Defect]:
        """Count a batch.

        Returns:
            The defects to name, the first few of each kind.
        """
        named = []
        for defect in defects:
            self.counts[defect.kind] += 1
            if self.counts[defect.kind] <= MAX_NAMED:
                named.append(defect)
        return named

    def summary(self) -> str:
        """All counts in a line; empty if there are none."""
        return ", ".join(f"{count} times {kind}" for kind, count in sorted(self.counts.items()))

    def state(self) -> dict[str, int]:
        return {str(kind.name): count for kind, count in self.counts.items()}

    def restore(self, state: dict[str, int]) -> None:
        self.counts = Counter({DefectKind[name]: count for name, count in state.items()})
