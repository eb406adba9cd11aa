"""Files of weights that others wrote, opened so that nothing in them is executed."""

import pickle
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from fiber.checkpoints.restricted_pickle import restricted_pickle
from fiber.utils.errors import UserError

SAFETENSORS = ".safetensors"
DAMAGED = (
    OSError,  # the disk
    SafetensorError,  # safetensors
    zipfile.BadZipFile,  # the archive of `torch.save`
    RuntimeError,  # torch: an archive that is cut, storages that are missing or too small
    struct.error,  # torch: the head of a file from before archives
    pickle.UnpicklingError,  # pickle, of what is no pickle
    EOFError,  # pickle, of half of one
    ArithmeticError,  # pickle, of a length past all bounds
    AttributeError,  # pickle, of an object without the attribute that is set
    LookupError,  # pickle, of an empty stack
    TypeError,  # pickle, of an object of another type
    ValueError,  # pickle, of text that is no number
)
"""What readers raise on bytes that are no file of weights, or half of one."""


class ForeignFile(NamedTuple):
    """What a file holds."""

    content: Any
    """Tensors, numbers and text in plain containers, and `Skipped` for every other object."""
    skipped: tuple[str, ...]
    """Classes and functions that the file names and that were not used."""


def read_foreign_file(path: Path, *, option: str, expected: str) -> ForeignFile:
    """Content of a .safetensors file, or of one that `torch.save` of any version wrote.

    Args:
        path: of the file.
        option: that names it, for messages.
        expected: what to give instead, for messages.

    Raises:
        UserError: the file is damaged or something else.
    """
    try:
        if path.suffix == SAFETENSORS:
            return ForeignFile(load_file(path), ())
        return read_pickled(path)
    except DAMAGED as error:
        raise UserError(
            f"{option}={path} is damaged or no checkpoint ({type(error).__name__}): give {expected}."
        ) from error


def read_pickled(path: Path) -> ForeignFile:
    """Content of a file that `torch.save` wrote."""
    mapped = zipfile.is_zipfile(path)  # only the tensors that are used are read from the disk
    try:
        return ForeignFile(torch.load(path, map_location="cpu", weights_only=True, mmap=mapped), ())
    except pickle.UnpicklingError:
        pass
    if holds_program(path, zipped=mapped):
        raise pickle.UnpicklingError("it holds a program")
    skipped: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = torch.load(
            path, map_location="cpu", weights_only=False, mmap=mapped, pickle_module=restricted_pickle(skipped)
        )
    return ForeignFile(content, tuple(sorted(skipped)))


def holds_program(path: Path, *, zipped: bool) -> bool:
    """Whether `torch.load` would leave the unpickler it was given: TorchScript, and tar archives of before 2017."""
    if not zipped:
        return tarfile.is_tarfile(path)
    with zipfile.ZipFile(path) as archive:
        return any(Path(name).name == "constants.pkl" for name in archive.namelist())
