"""What is said of an object's look."""

from functools import cache
from typing import NamedTuple

from fiber.data.shapes.scene import Color, Look, Shape, Size


class Description(NamedTuple):
    """The shape and perhaps other attributes of a look; None = not named."""

    shape: Shape
    color: Color | None = None
    size: Size | None = None

    def holds(self, look: Look) -> bool:
        """Whether every named attribute is the look's."""
        return self.shape is look.shape and self.color in (None, look.color) and self.size in (None, look.size)

    @property
    def name(self) -> str:
        """`small red circle`."""
        words = [attribute.word for attribute in (self.size, self.color) if attribute is not None]
        return " ".join([*words, self.shape])

    def shorter(self) -> list["Description"]:
        """Descriptions with one word less."""
        without_color, without_size = self._replace(color=None), self._replace(size=None)
        return [one for one in (without_color, without_size) if one != self]


@cache
def descriptions(look: Look) -> tuple[Description, ...]:
    """Every description of a look, the shortest first."""
    return (
        Description(look.shape),
        Description(look.shape, look.color),
        Description(look.shape, None, look.size),
        Description(look.shape, look.color, look.size),
    )
