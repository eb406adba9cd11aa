"""Raw image-text pairs as the objectives handle them.

Axes: B pairs, S image side, L text tokens, P embedding width.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from fiber.utils.distributed import gather_rows


@dataclass(frozen=True, slots=True)
class RawPairs:
    """Inputs before any network; pixels stay uint8."""

    image: Tensor
    """uint8 B 3 S S."""
    text_ids: Tensor
    """int64 B L."""
    text_mask: Tensor
    """bool B L."""

    def __len__(self) -> int:
        return self.image.shape[0]


class Rows(ABC):
    """Tensors with a row for every pair, which processes gather and queues keep."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, rows first, in the order `from_tensors` takes them."""

    @classmethod
    @abstractmethod
    def from_tensors(cls, tensors: tuple[Tensor, ...]) -> Self:
        """The same kind of rows from other tensors."""

    def gather(self) -> Self:
        """The pairs of all processes in rank order, without gradient."""
        return self.from_tensors(tuple(map(gather_rows, self.tensors())))


@dataclass(frozen=True)
class DetachedEmbeddings(Rows):
    """Dual-encoder embeddings of pairs: keys of the contrastive loss where no raw inputs are wanted."""

    image_embedding: Tensor
    """B P, unit length, detached."""
    text_embedding: Tensor
    """B P, unit length, detached."""

    def __len__(self) -> int:
        return self.image_embedding.shape[0]

    def tensors(self) -> tuple[Tensor, ...]:
        return self.image_embedding, self.text_embedding

    @classmethod
    def from_tensors(cls, tensors: tuple[Tensor, ...]) -> Self:
        return cls(*tensors)


@dataclass(frozen=True)
class EmbeddedPairs(Rows):
    """Raw pairs with their dual-encoder embeddings: keys of the contrastive loss and candidates for negatives."""

    pairs: RawPairs
    image_embedding: Tensor
    """B P, unit length, detached."""
    text_embedding: Tensor
    """B P, unit length, detached."""
    sample_key: Tensor
    """int64 B 2, sample and draw by which the training data can read the pair again."""

    def __len__(self) -> int:
        return len(self.pairs)

    def tensors(self) -> tuple[Tensor, ...]:
        pairs = self.pairs
        embeddings = (self.image_embedding, self.text_embedding)
        return (pairs.image, pairs.text_ids, pairs.text_mask, *embeddings, self.sample_key)

    @classmethod
    def from_tensors(cls, tensors: tuple[Tensor, ...]) -> Self:
        image, text_ids, text_mask, image_embedding, text_embedding, sample_key = tensors
        return cls(RawPairs(image, text_ids, text_mask), image_embedding, text_embedding, sample_key)
