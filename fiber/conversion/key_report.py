"""What became of every tensor of a converted checkpoint."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

EXAMPLES = 2
"""Names given of many."""


class DropReason(StrEnum):
    """Why a tensor is left out on purpose."""

    QUEUE = "queue of earlier pairs"
    BUFFER = "buffer that is computed"
    UNUSED = "weight that the original never uses"
    RANK_OUTPUT = "stale copy of the matching head"
    GOLD_COPY = "second copy of the model, for GOLD training"
    OTHER_HEAD = "head of another task"
    PUBLISHED_EXTRA = "classifier or buffer of a published half"
    OTHER_WEIGHTS = "averaged or raw weights beside those asked for"


@dataclass(frozen=True, kw_only=True)
class KeyReport:
    """Every tensor by name.

    Of a file in the original's format names are the original's, without `module.`; of a run or a model folder they are
    ours. Of two published halves those of the model are ours, and those dropped are the original's.
    """

    sources: tuple[str, ...]
    """Files and folders that were read."""
    loaded: tuple[str, ...]
    resized: tuple[str, ...] = ()
    """Of those, position biases brought to another window."""
    dropped: Mapping[DropReason, tuple[str, ...]] = field(default_factory=dict)
    fresh: tuple[str, ...] = ()
    """What the file lacks and the model starts anew."""
    untrained: tuple[str, ...] = ()
    """Parts of the model, by our names, of which nothing was loaded, such as `matching_head`."""
    surprising: tuple[str, ...] = ()
    """What no model of the library or the original has a place for."""
    parts: tuple[str, ...] = ()
    """Of the file beside its tensors: state of the optimiser and the like, left out."""
    skipped: tuple[str, ...] = ()
    """Classes and functions that the file names, which were not used."""

    def rows(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """What became of them, and of which."""
        yield "loaded", self.loaded
        yield "of these resized", self.resized
        for reason, names in self.dropped.items():
            yield f"dropped: {reason}", names
        yield "fresh: not in the file", self.fresh
        yield "surprising", self.surprising
        yield "left out: parts that are no weights", self.parts
        yield "left out: classes and functions, none executed", self.skipped

    def to_json(self) -> dict[str, Any]:
        return {
            "sources": list(self.sources),
            "loaded": list(self.loaded),
            "resized": list(self.resized),
            "dropped": {str(reason): list(names) for reason, names in self.dropped.items()},
            "fresh": list(self.fresh),
            "untrained": list(self.untrained),
            "surprising": list(self.surprising),
            "parts": list(self.parts),
            "skipped": list(self.skipped),
        }


def untrained_parts(fresh: Iterable[str], loaded: Iterable[str]) -> tuple[str, ...]:
    """Parts of a model, by our names of its tensors, of which nothing was loaded."""
    begun = {name.partition(".")[0] for name in loaded}
    return tuple(dict.fromkeys(part for name in fresh if (part := name.partition(".")[0]) not in begun))


def examples(names: tuple[str, ...]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - EXAMPLES
    return ", ".join(names[:EXAMPLES]) + (f" and {more} more" if more > 0 else "")
