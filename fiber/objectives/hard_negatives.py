"""Hard negatives for image-text matching, drawn by contrastive similarity (as in ALBEF).

Axes: B rows of this process, K candidates.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from fiber.objectives.contrastive import Similarities
from fiber.utils.distributed import rank, world_size

FLOOR = 1e-9
"""Weight added to every candidate, so that a saturated softmax still leaves a choice."""


class Negatives(NamedTuple):
    """A negative image and a negative text for every row, as positions among the candidates."""

    image_index: Tensor
    """int64 B."""
    text_index: Tensor
    """int64 B."""


def own_rows(num_rows: int, device: torch.device) -> Tensor:
    """Positions of this process's pairs among the current pairs of all, int64 B."""
    return torch.arange(num_rows, device=device) + rank() * num_rows


def draw_negatives(similarity: Similarities, positive: Tensor, *, seed: int, step: int) -> Negatives:
    """One negative image and one negative text per row of this process, whatever the number of processes.

    Args:
        similarity: of B rows with K candidates.
        positive: int64 B, candidate that is the row's own pair.
        seed: of the run.
        step: number of the micro-batch in the run.
    """
    uniform = row_uniforms(len(positive), seed=seed, step=step, rank=rank(), world_size=world_size())
    uniform = uniform.to(positive.device, non_blocking=True)
    return Negatives(
        image_index=sample_hard_negatives(similarity.text_to_image.detach(), positive, uniform[:, 0]),
        text_index=sample_hard_negatives(similarity.image_to_text.detach(), positive, uniform[:, 1]),
    )


def row_uniforms(num_rows: int, *, seed: int, step: int, rank: int, world_size: int) -> Tensor:
    """Uniform draws in [0, 1) for the rows of one process, float64 `num_rows` 2.

    One generator serves the rows of all processes, so that a row's draw depends on its place in the global batch alone.
    """
    generator = torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**63)
    draws = torch.rand(num_rows * world_size, 2, generator=generator, dtype=torch.float64)
    return draws[rank * num_rows : (rank + 1) * num_rows]


@torch.no_grad()
def sample_hard_negatives(similarity: Tensor, positive: Tensor, uniform: Tensor) -> Tensor:
    """Draw one candidate per row with probability softmax(similarity), never the row's own pair.

    Args:
        similarity: B K; -inf excludes a candidate.
        positive: int64 B, candidate that is the row's own pair.
        uniform: float64 B in [0, 1).

    Returns:
        int64 B. A row whose only valid candidate is its own pair gets that one.
    """
    excluded = similarity.isneginf()
    weight = similarity.double().softmax(dim=1).masked_fill(excluded, 0.0) + FLOOR * ~excluded
    weight = weight.scatter(1, positive[:, None], 0.0)
    cumulative = weight.cumsum(dim=1)  # inverse of the cumulative distribution: one pass, no host synchronisation
    threshold = uniform[:, None] * cumulative[:, -1:]
    drawn = torch.searchsorted(cumulative, threshold, right=True).squeeze(1)
    alone = cumulative[:, -1] == 0
    return torch.where(alone, positive, drawn.clamp(max=similarity.shape[1] - 1))
