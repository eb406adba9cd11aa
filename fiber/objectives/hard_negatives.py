"""Hard negatives for image-text matching, drawn by contrastive similarity (as in ALBEF).

Axes: B rows of this process, K candidates.
"""

import torch
from torch import Tensor

FLOOR = 1e-9
"""Weight added to every candidate, so that a saturated softmax still leaves a choice."""


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
