"""Which tokens captions are made of. Axes: R captions being written, V vocabulary."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fiber.models.heads import full_precision


@dataclass(frozen=True, kw_only=True)
class CaptionVocabulary:
    """The tokens with a meaning of their own."""

    bos_id: int
    """Before the first word; never written."""
    pad_id: int
    """After the end; never written."""
    eos_id: int
    """Ends a caption."""
    mask_id: int
    """Never written."""

    def log_probabilities(self, logits: Tensor, *, may_end: bool = True) -> Tensor:
        """Of the next token, among those that a caption may contain; at least float32.

        Args:
            logits: ... V.
            may_end: whether a caption may end here.

        Returns:
            ... V, -inf for other tokens.
        """
        forbidden = [self.bos_id, self.pad_id, self.mask_id, *([] if may_end else [self.eos_id])]
        index = torch.tensor(forbidden, device=logits.device)
        return full_precision(logits).index_fill(-1, index, -torch.inf).log_softmax(dim=-1)
