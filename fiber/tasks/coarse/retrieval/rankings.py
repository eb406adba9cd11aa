"""Which rankings of a gallery are asked for, and what they say once all scores are there.

Axes: n images of this process, T texts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor

from fiber.data.retrieval_gallery import GalleryTexts
from fiber.evaluation.reranking import candidate_floors, reranked
from fiber.evaluation.retrieval import ScoreTable
from fiber.utils.errors import UserError


class Ranking(StrEnum):
    """How pairs are scored."""

    ITC = "itc"
    """By the cosine of their dual-encoder embeddings."""
    ITM = "itm"
    """By matching every image with every text."""
    RERANKED = "reranked"
    """By embeddings, the best `top_k` of either direction then by matching."""

    @property
    def group(self) -> str:
        """First part of its metrics' names."""
        return "retrieval" if self is Ranking.ITC else f"retrieval_{self}"


@dataclass(frozen=True, kw_only=True)
class RetrievalEvaluationConfig:
    """How a gallery is ranked.

    Raises:
        UserError: no ranking, an unknown one, or numbers below 1.
    """

    rankings: Sequence[str] = ("itc",)
    """Of `Ranking`; the last one's recall chooses the best model."""
    top_k: int = 128
    """Of `reranked`: candidates per image and per text."""
    pairs_per_pass: int = 64
    """Texts that are fused with an image at a time."""
    text_cache: float = 2.0
    """GiB for the texts' states below the fusion; texts that take more are encoded again for every batch of images."""

    def __post_init__(self) -> None:
        known = [str(ranking) for ranking in Ranking]
        if not self.rankings or not set(self.rankings) <= set(known):
            raise UserError(f"evaluation.rankings={list(self.rankings)}: give some of {', '.join(known)}.")
        for name in ("top_k", "pairs_per_pass"):
            if getattr(self, name) < 1:
                raise UserError(f"evaluation.{name}={getattr(self, name)}: give 1 or more.")

    @property
    def kinds(self) -> tuple[Ranking, ...]:
        """The rankings, each once, in the order given."""
        return tuple(dict.fromkeys(map(Ranking, self.rankings)))

    @property
    def embeds(self) -> bool:
        """Whether embeddings are wanted."""
        return any(kind is not Ranking.ITM for kind in self.kinds)

    @property
    def matches(self) -> bool:
        """Whether pairs are to be matched."""
        return any(kind is not Ranking.ITC for kind in self.kinds)


class Protocol(NamedTuple):
    """Which captions of a split are ranked."""

    suffix: str
    """Of the names of its metrics."""
    texts: Tensor
    """int64, columns of the scores."""


def protocols(texts: GalleryTexts) -> Iterator[Protocol]:
    """The standard one of five captions per image, and the original's of all different ones where these are others."""
    yield Protocol("", texts.standard)
    if not torch.equal(texts.standard, texts.distinct):
        yield Protocol("_all_captions", texts.distinct)


class Tables(NamedTuple):
    """Scores by which the texts of an image, and the images of a text, are ranked."""

    texts: ScoreTable
    images: ScoreTable


class GalleryScores:
    """Scores of the images of this process with all texts, in float32 on the CPU: 4 n T bytes for each kind.

    Args:
        texts: of the gallery.
    """

    def __init__(self, texts: GalleryTexts) -> None:
        self.texts = texts
        self.images: list[int] = []
        """The images so far, in order."""
        self.contrastive: list[Tensor] = []
        """T each."""
        self.matching: list[Tensor] = []
        """T each; -inf where a pair was not matched."""

    def table(self, rows: Sequence[Tensor], protocol: Protocol) -> ScoreTable:
        """Scores of a protocol's texts."""
        return ScoreTable(
            images=torch.tensor(self.images),
            text_image=self.texts.image[protocol.texts],
            rows=lambda part: torch.stack(list(rows[part]))[:, protocol.texts],
        )

    def tables(self, kind: Ranking, protocol: Protocol, top_k: int) -> Tables:
        """What `kind` ranks by."""
        if kind is not Ranking.RERANKED:
            table = self.table(self.contrastive if kind is Ranking.ITC else self.matching, protocol)
            return Tables(table, table)
        contrastive, matching = self.table(self.contrastive, protocol), self.table(self.matching, protocol)
        return Tables(*reranked(contrastive, matching.rows, candidate_floors(contrastive, top_k)))
