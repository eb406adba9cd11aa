"""Gated cross-attention between the two backbones (paper section 3.1, equation 1).

Axes: B batch, N queries of width C, M context tokens of width D.
"""

import torch
from torch import Tensor, nn

from fiber.models.attention import attend, merge_heads, split_heads
from fiber.models.decoding_cache import KeyValue


class GatedCrossAttention(nn.Module):
    """gate * CrossAttention(x, context), to be added to a self-attention output.

    The gate is one scalar, zero at the start: a freshly fused backbone computes what its two halves computed apart.
    """

    def __init__(
        self, width: int, *, context_width: int, num_heads: int, query_norm: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.query_norm = nn.LayerNorm(width) if query_norm else nn.Identity()
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(context_width, 2 * width)
        self.output = nn.Linear(width, width)
        self.output_dropout = nn.Dropout(dropout)
        self.gate = nn.Parameter(torch.zeros(1))

    def project_context(self, context: Tensor) -> KeyValue:
        """Keys and values of a context that is attended to more than once: B M D -> B h M C/h."""
        return KeyValue(*(split_heads(part, self.num_heads) for part in self.key_value(context).chunk(2, dim=-1)))

    def forward(self, x: Tensor, context: Tensor | KeyValue, mask: Tensor | None = None) -> Tensor:
        """
        Args:
            x: B N C.
            context: B M D, or its keys and values.
            mask: bool B M, True = real context token; None attends to all.

        Returns:
            B N C, the gated term alone.
        """
        query = split_heads(self.query(self.query_norm(x)), self.num_heads)
        key, value = context if isinstance(context, KeyValue) else self.project_context(context)
        attended = attend(
            query,
            key,
            value,
            mask=None if mask is None else mask[:, None, None, :],
            dropout=self.dropout if self.training else 0.0,
        )  # B h N C/h
        gated: Tensor = self.gate * self.output_dropout(self.output(merge_heads(attended)))
        return gated
