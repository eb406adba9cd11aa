"""Collectives that are the identity in a single process. Axes: B rows of this process, G rows of all."""

from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


def is_distributed() -> bool:
    """Whether several processes work together."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def world_size() -> int:
    return dist.get_world_size() if is_distributed() else 1


def rank() -> int:
    return dist.get_rank() if is_distributed() else 0


@torch.no_grad()
def gather_rows(tensor: Tensor) -> Tensor:
    """Rows of all processes in the order of their ranks, without gradient: B ... -> G ...

    Every process must hold the same number of rows.
    """
    if not is_distributed():
        return tensor.detach()
    source = tensor.detach().contiguous()
    flag = source.dtype == torch.bool  # not every backend moves booleans
    source = source.to(torch.uint8) if flag else source
    parts = [torch.empty_like(source) for _ in range(world_size())]
    dist.all_gather(parts, source)
    gathered = torch.cat(parts)
    return gathered.bool() if flag else gathered


@torch.no_grad()
def mean_over_processes(value: Tensor) -> Tensor:
    """Average of a scalar over all processes, without gradient."""
    if not is_distributed():
        return value.detach()
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / world_size()


def gather_objects(value: T) -> list[T]:
    """A picklable object of every process, in the order of their ranks."""
    if not is_distributed():
        return [value]
    everyone: list[T] = [value] * world_size()
    dist.all_gather_object(everyone, value)
    return everyone


def gather_at_first(value: T) -> list[T] | None:
    """A picklable object of every process, in the order of their ranks, on the first of them; None on the others."""
    if not is_distributed():
        return [value]
    everyone: list[T] | None = [value] * world_size() if rank() == 0 else None
    dist.gather_object(value, everyone)
    return everyone
