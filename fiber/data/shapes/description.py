"""What is said of an object's look."""

from functools import cache
from itertools import product
from typing import NamedTuple

from fiber.data.shapes.scene import Color, Look, Shape, Size


class Description(NamedTuple):
    """Some attributes of a look; None = not named."""

    size: Size | None = None
    color: Color | None = None
    shape: Shape | None = None

    def holds(self, look: Look) -> bool:
        """Whether every named attribute is the look's."""
        return self.size in (None, look.size) and self.color in (None, look.color) and self.shape in (None, look.shape)

    @property
    def length(self) -> int:
        """Number of attributes that are named."""
        return sum(attribute is not None for attribute in self)

    @property
    def name(self) -> str:
        """`small red circle`; without a shape, `red object`."""
        words = [attribute.word for attribute in (self.size, self.color) if attribute is not None]
        return " ".join([*words, self.shape or "object"])


@cache
def descriptions(look: Look) -> tuple[Description, ...]:
    """Every description of a look that names something, the shortest first."""
    named = (
        Description(size, color, shape)
        for size, color, shape in product((None, look.size), (None, look.color), (None, look.shape))
    )
    return tuple(sorted((one for one in named if one.length > 0), key=lambda one: one.length))
