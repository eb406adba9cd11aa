"""Texts that hold every word of the shapes world, to train its tokeniser on."""

from fiber.data.shapes.scene import Color, Relation, Shape, Size

COUNT_WORDS = ("no", "one", "two", "three")


def shapes_corpus() -> list[str]:
    """Every word in a sentence, often enough to become one token."""
    sentences = [f"a {size.word} {color.word} {shape} is" for size in Size for color in Color for shape in Shape]
    sentences += [
        f"there are {count} {color.word} {s.plural} and" for count in COUNT_WORDS for color in Color for s in Shape
    ]
    sentences += [f"a {shape} is {place} a {shape}" for place in Relation for shape in Shape]
    return sentences
