"""Image-text retrieval.

Axes: I images, T texts, P embedding width.
"""

from typing import NamedTuple

import torch
from torch import Tensor

RANKS = (1, 5, 10)


class RetrievalRecall(NamedTuple):
    """Shares in [0, 1], one per rank of `RANKS`."""

    image_to_text: tuple[float, ...]
    """Images with a text of their own among their best k texts."""
    text_to_image: tuple[float, ...]
    """Texts with their image among their best k images."""

    def named(self) -> dict[str, float]:
        """`image_to_text_r1` and so on; `mean_recall_1` is the mean of both directions at rank 1."""
        named = {f"image_to_text_r{k}": value for k, value in zip(RANKS, self.image_to_text, strict=True)}
        named |= {f"text_to_image_r{k}": value for k, value in zip(RANKS, self.text_to_image, strict=True)}
        return named | {"mean_recall_1": (self.image_to_text[0] + self.text_to_image[0]) / 2}


def retrieval_recall(scores: Tensor, text_image: Tensor) -> RetrievalRecall:
    """Recall at 1, 5 and 10 from all scores. Ties count against the right answer.

    Args:
        scores: float I T, higher is better.
        text_image: int64 T, the image that each text belongs to.
    """
    own = text_image == torch.arange(len(scores), device=scores.device)[:, None]  # I T
    best_text = scores.masked_fill(~own, -torch.inf).amax(dim=1, keepdim=True)  # the best of an image's own texts
    text_rank = ((scores >= best_text) & ~own).sum(dim=1)  # I
    own_score = scores.gather(0, text_image[None])  # 1 T
    image_rank = (scores >= own_score).sum(dim=0) - 1  # T
    has_text = own.any(dim=1)
    return RetrievalRecall(
        image_to_text=tuple((text_rank[has_text] < k).double().mean().item() for k in RANKS),
        text_to_image=tuple((image_rank < k).double().mean().item() for k in RANKS),
    )
