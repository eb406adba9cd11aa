"""The vector of a picture or of a text, as one of many."""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Embedding:
    """A vector of length 1 in the space that pictures and texts share."""

    vector: Tensor = field(repr=False)
    """P, float32 on the CPU."""
    text: str | None = None
    """None of a picture."""

    def __str__(self) -> str:
        return f"a vector of {len(self.vector)} numbers"
