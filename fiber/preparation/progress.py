"""Progress of a command."""

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def shown(items: Iterable[T], title: str, *, total: int) -> Iterable[T]:
    """Items behind a bar on standard error, which is gone when they are."""
    return track(items, title, total=total, console=Console(stderr=True), transient=True)
