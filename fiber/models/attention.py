"""Multi-head attention on four-dimensional tensors.

Axes: B batch, h heads, N queries, M keys, d head width.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def attend(query: Tensor, key: Tensor, value: Tensor, *, mask: Tensor | None = None, dropout: float = 0.0) -> Tensor:
    """softmax(query key^T / sqrt(d) + mask) value through the fastest kernel at hand.

    Args:
        query: B h N d.
        key: B h M d.
        value: B h M d.
        mask: broadcastable to B h N M; bool (True = attend) or additive float.
        dropout: probability of dropping an attention weight; give 0 outside training.

    Returns:
        B h N d.
    """
    if mask is not None and mask.dtype != torch.bool:
        mask = mask.to(query.dtype)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)


def attend_eager(query: Tensor, key: Tensor, value: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """The plain formula of `attend` without dropout, kept to test it."""
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # B h N M
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    return scores.softmax(dim=-1) @ value


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """B N C -> B h N C/h."""
    return x.view(*x.shape[:-1], num_heads, x.shape[-1] // num_heads).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """B h N d -> B N h*d."""
    return x.transpose(1, 2).flatten(2)
