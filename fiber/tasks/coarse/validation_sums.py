"""Validation results of all processes."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from fiber.evaluation.pretraining import METRICS, PairEvaluation
from fiber.utils.distributed import gather_objects, is_distributed


def mean_metrics(batches: Sequence[PairEvaluation], device: torch.device) -> dict[str, float]:
    """Means over all batches of all processes by metric name."""
    sums = torch.zeros(len(METRICS), 2, dtype=torch.float64, device=device)
    for batch in batches:
        sums += torch.stack([torch.stack(tally).double() for tally in batch.tallies()])
    if is_distributed():
        dist.all_reduce(sums)
    means = sums[:, 0] / sums[:, 1].clamp(min=1)
    return dict(zip(METRICS, means.tolist(), strict=True))


def gather_uneven(parts: Sequence[Tensor]) -> Tensor:
    """Rows of all processes in order of their ranks, which may hold different numbers of them."""
    return torch.cat([part for rank in gather_objects([part.cpu() for part in parts]) for part in rank])
