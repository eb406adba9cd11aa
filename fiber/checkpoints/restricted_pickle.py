"""A stand-in for Python's `pickle` with which `torch.load` makes tensors and plain containers, and nothing else."""

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import IO, Any

import torch
from torch import Tensor
from torch._utils import _rebuild_tensor

Function = Callable[..., Any]


class Skipped:
    """Stands for an object of a class, or the result of a function, that a file names and that is not made.

    It takes whatever a pickle does to an object: attributes are dropped, entries are kept.
    """

    __slots__ = ("entries",)
    entries: dict[Any, Any]
    name = ""
    """Of the class or function, with its module."""

    def __new__(cls, *_: object, **__: object) -> "Skipped":
        made = super().__new__(cls)
        made.entries = {}
        return made

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None:
        self.entries[key] = value

    def append(self, _: object) -> None: ...

    def extend(self, _: object) -> None: ...

    def add(self, _: object) -> None: ...


class Allowed:
    """A function that a pickle may call and cannot change."""

    __slots__ = ("function",)
    function: Function

    def __init__(self, function: Function) -> None:
        object.__setattr__(self, "function", function)

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def __setattr__(self, name: str, value: object) -> None:
        raise pickle.UnpicklingError(f"it changes {name} of a function")


def tensor(storage: Any, offset: int, size: Any, stride: Any, *_: object) -> Tensor:
    """A tensor over its numbers, without gradient and hooks."""
    made: Tensor = _rebuild_tensor(storage, offset, size, stride)  # type: ignore[no-untyped-call]
    return made


def parameter(data: Any, *_: object) -> Any:
    """The tensor of a parameter."""
    return data


def text_bytes(text: str, encoding: str) -> bytes:
    """Bytes, which older pickles write as text."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"it encodes text as {encoding}")
    return text.encode("latin1")


ALLOWED: Mapping[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "builtins.set": Allowed(set),
    "builtins.frozenset": Allowed(frozenset),
    "_codecs.encode": Allowed(text_bytes),
    "torch.Size": Allowed(torch.Size),
    "torch._utils._rebuild_tensor": Allowed(tensor),
    "torch._utils._rebuild_tensor_v2": Allowed(tensor),
    "torch._utils._rebuild_parameter": Allowed(parameter),
    **{str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)},
}
"""What a pickle may name, by module and name."""


def restricted_pickle(skipped: set[str]) -> SimpleNamespace:
    """The module.

    Args:
        skipped: filled with the names of classes and functions that a file names and that `Skipped` stood for.
    """

    class Unpickler(pickle.Unpickler):
        """Looks no name up anywhere but in `ALLOWED`; `torch.load` adds the storages of tensors."""

        def find_class(self, module: str, name: str) -> Any:
            full = f"{module.replace('__builtin__', 'builtins')}.{name}"
            if full in ALLOWED:
                return ALLOWED[full]
            skipped.add(full)
            return type("Skipped", (Skipped,), {"__slots__": (), "name": full})

    def load(file: IO[bytes], **options: Any) -> Any:
        return Unpickler(file, **options).load()

    return SimpleNamespace(__name__=__name__, Unpickler=Unpickler, load=load)
