"""Image-text retrieval from the scores of all pairs, which processes may share by images.

Axes: I images, n images of this process, T texts, k best.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fiber.utils.distributed import gather_objects

RANKS = (1, 5, 10)
ROWS_PER_BLOCK = 64
"""Images at a time: nothing but the scores themselves grows with I x T."""


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


@dataclass(frozen=True)
class ScoreTable:
    """Scores of the images of this process with all texts; higher is better."""

    images: Tensor
    """int64 n, which images these are. Together the processes hold every image once."""
    text_image: Tensor
    """int64 T, the image that each text belongs to."""
    rows: Callable[[slice], Tensor]
    """Scores of some of the images, float b T."""

    def blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """All rows, a few at a time."""
        for start in range(0, len(self.images), ROWS_PER_BLOCK):
            rows = slice(start, min(start + ROWS_PER_BLOCK, len(self.images)))
            yield rows, self.rows(rows)

    def row_of_text(self) -> Tensor:
        """Row of each text's own image, int64 T; -1 where another process has it."""
        size = int(max(self.images.max(), self.text_image.max())) + 1
        row = torch.full((size,), -1, device=self.images.device)
        row[self.images] = torch.arange(len(self.images), device=self.images.device)
        return row[self.text_image]

    def own_scores(self) -> Tensor:
        """Score of each text with its own image, T; -inf where another process has it."""
        row = self.row_of_text()
        own = torch.full(row.shape, -torch.inf, dtype=torch.float64, device=row.device)
        for rows, block in self.blocks():
            here = ((row >= rows.start) & (row < rows.stop)).nonzero().squeeze(1)
            own[here] = block[row[here] - rows.start, here].double()
        return own

    def images_reaching(self, scores: Tensor) -> Tensor:
        """Images of this process at or above a score of each text, float T -> int64 T."""
        number = torch.zeros_like(self.text_image)
        for _, block in self.blocks():
            number += (block >= scores).sum(dim=0)
        return number


def text_ranks(table: ScoreTable) -> Tensor:
    """Texts of other images at or above the best text of each image's own; -1 for an image without text.

    Returns:
        int64 n.
    """
    row, own = table.row_of_text(), table.own_scores()
    here = row >= 0
    best = own.new_full((len(table.images),), -torch.inf).scatter_reduce(0, row[here], own[here], "amax")
    num_own = torch.zeros_like(table.images)  # of an image's own texts at its best: they count for it
    num_own.scatter_add_(0, row[here], (own[here] == best[row[here]]).long())
    above = [(block >= best[rows, None]).sum(dim=1) for rows, block in table.blocks()]
    return torch.where(num_own > 0, torch.cat(above) - num_own, -1)


def image_ranks(table: ScoreTable) -> Tensor:
    """Images of all processes at or above each text's own, which is left out.

    Returns:
        int64 T, the same on every process.
    """
    own = torch.stack(gather_objects(table.own_scores().cpu())).amax(dim=0)
    reaching = table.images_reaching(own.to(table.images.device))
    return torch.stack(gather_objects(reaching.cpu())).sum(dim=0) - 1


class Best(NamedTuple):
    """The k best of each row, best first."""

    scores: Tensor
    """float R k."""
    indices: Tensor
    """int64 R k."""


def best_texts(table: ScoreTable, k: int) -> Best:
    """The k best texts of every image of this process, or all where there are fewer."""
    parts = [block.topk(min(k, block.shape[1]), dim=1) for _, block in table.blocks()]
    return Best(torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts]))


def best_images(table: ScoreTable, k: int) -> Best:
    """The k best images of every text among those of all processes, on the CPU; the same on every process."""
    best: Best | None = None
    for rows, block in table.blocks():
        images = table.images[rows, None].expand_as(block)
        best = merge(([best] if best else []) + [Best(block, images)], k)
    assert best is not None
    merged = merge(gather_objects(Best(best.scores.cpu(), best.indices.cpu())), k)
    return Best(merged.scores.T, merged.indices.T)


def merge(parts: list[Best], k: int) -> Best:
    """The k best of several lists over the first axis."""
    scores, indices = torch.cat([part.scores for part in parts]), torch.cat([part.indices for part in parts])
    best = scores.topk(min(k, len(scores)), dim=0)
    return Best(best.values, indices.gather(0, best.indices))


def recall_from_ranks(text_rank: Tensor, image_rank: Tensor) -> RetrievalRecall:
    """Recall at 1, 5 and 10.

    Args:
        text_rank: of all images, as of `text_ranks`.
        image_rank: of all texts, as of `image_ranks`.
    """
    text_rank = text_rank[text_rank >= 0]
    return RetrievalRecall(
        image_to_text=tuple((text_rank < k).double().mean().item() for k in RANKS),
        text_to_image=tuple((image_rank < k).double().mean().item() for k in RANKS),
    )


def table_recall(text_table: ScoreTable, image_table: ScoreTable) -> RetrievalRecall:
    """Recall over the images of all processes. Ties count against the right answer.

    Args:
        text_table: ranks the texts of an image.
        image_table: ranks the images of a text, mostly by the same scores.
    """
    everyone = torch.cat(gather_objects(text_ranks(text_table).cpu()))
    return recall_from_ranks(everyone, image_ranks(image_table))


def retrieval_recall(scores: Tensor, text_image: Tensor) -> RetrievalRecall:
    """Recall at 1, 5 and 10 from all scores, of which this process holds all. Ties count against the right answer.

    Args:
        scores: float I T, higher is better.
        text_image: int64 T, the image that each text belongs to.
    """
    images = torch.arange(len(scores), device=scores.device)
    table = ScoreTable(images, text_image, lambda rows: scores[rows])
    return recall_from_ranks(text_ranks(table), table.images_reaching(table.own_scores()) - 1)
