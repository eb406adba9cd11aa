"""Tensors as a safetensors file that others may read."""

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def write_tensors(tensors: Mapping[str, Tensor], path: Path, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write the file with the permissions that any other file would have: safetensors alone lets only the owner read.

    Args:
        tensors: contiguous, by their names.
        path: of the file, which is replaced.
        metadata: for the file's header.
    """
    save_file(dict(tensors), path, metadata=None if metadata is None else dict(metadata))
    mask = os.umask(0)  # it is read by setting it
    os.umask(mask)
    path.chmod(0o666 & ~mask)
