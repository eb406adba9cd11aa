"""Loss of statements about two images (NLVR2). Axes: B statements."""

import torch.nn.functional as F
from torch import Tensor


def visual_reasoning_loss(logits: Tensor, is_true: Tensor) -> Tensor:
    """Two-way cross-entropy, mean over statements; float B 2 with class 1 = true, bool B."""
    return F.cross_entropy(logits.float(), is_true.long())
