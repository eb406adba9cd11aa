"""Several processes in one, for what they exchange as Python objects."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, local
from types import ModuleType
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


def run_as_processes(
    functions: Sequence[Callable[[], T]], monkeypatch: pytest.MonkeyPatch, *modules: ModuleType
) -> list[T]:
    """Call functions side by side, one per rank; `gather_objects` of `modules` exchanges between them."""
    barrier, me = Barrier(len(functions), timeout=60), local()
    values: list[Any] = [None] * len(functions)

    def gather(value: Any) -> list[Any]:
        values[me.rank] = value
        barrier.wait()
        everyone = list(values)
        barrier.wait()
        return everyone

    def call(rank: int) -> T:
        me.rank = rank
        return functions[rank]()

    for module in modules:
        monkeypatch.setattr(module, "gather_objects", gather)
    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(call, range(len(functions))))
