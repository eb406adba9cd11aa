"""Progress of a command, shown on a terminal only."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

T = TypeVar("T")


@contextmanager
def bar(title: str, *, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, which is gone at the end; gives what advances it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda steps: None
        return
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda steps: progress.advance(task, steps)


def shown(items: Iterable[T], title: str, *, total: int) -> Iterator[T]:
    """Items behind such a bar."""
    with bar(title, total=total) as advance:
        for item in items:
            yield item
            advance(1)


def quantity(count: int, noun: str) -> str:
    """`1 shard`, `1,200 shards`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
