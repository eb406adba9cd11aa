"""Does a caption name what is to be seen in a scene of shapes?"""

import re

from fiber.data.shapes.scene import Color, Scene, Shape

COLORS = {color.word: color for color in Color}
SHAPES = {word: shape for shape in Shape for word in (str(shape), shape.plural)}


def names_looks(caption: str, scene: Scene) -> bool:
    """Whether the caption names the colour and shape of every object, and nothing else that has either.

    Sizes, counts and places may be wrong. A colour without a shape, or a shape without a colour, names nothing that is
    there.
    """
    return named_looks(caption) == {(item.look.color, item.look.shape) for item in scene.objects}


def named_looks(caption: str) -> set[tuple[Color | None, Shape | None]]:
    """Colours followed by shapes, and those that stand alone."""
    words = re.findall(r"\w+", caption.lower())
    named: set[tuple[Color | None, Shape | None]] = set()
    color = None
    for word in words:
        shape = SHAPES.get(word)
        if shape is not None or color is not None:
            named.add((color, shape))
        color = COLORS.get(word)
    return named if color is None else named | {(color, None)}
