"""Validation results of all processes. Axes: rows of a process, P embedding width."""

from collections.abc import Mapping, Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from fiber.evaluation.pretraining import Tally
from fiber.models.pretraining_model import PairEmbeddings
from fiber.utils.distributed import is_distributed


def sum_tallies(batches: Sequence[Mapping[str, Tally]]) -> dict[str, Tally]:
    """Sums over batches and processes, by metric name."""
    names = list(batches[0])
    sums = torch.stack(
        [torch.stack([torch.stack(list(batch[name])).double() for batch in batches]).sum(dim=0) for name in names]
    )  # names 2
    if is_distributed():
        dist.all_reduce(sums)
    return {name: Tally(*row) for name, row in zip(names, sums, strict=True)}


def gather_uneven(tensor: Tensor) -> Tensor:
    """Rows of all processes, which may hold different numbers of them."""
    if not is_distributed():
        return tensor
    parts: list[Tensor] = [tensor] * dist.get_world_size()
    dist.all_gather_object(parts, tensor.cpu())
    return torch.cat([part.to(tensor.device) for part in parts])


def gather_embeddings(batches: Sequence[PairEmbeddings]) -> PairEmbeddings:
    """Embeddings of all batches of all processes."""
    image = torch.cat([batch.image for batch in batches])
    text = torch.cat([batch.text for batch in batches])
    return PairEmbeddings(gather_uneven(image), gather_uneven(text))
