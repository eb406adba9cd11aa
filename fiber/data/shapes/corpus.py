"""Texts that hold every word of the shapes world, to train its tokeniser on."""

from fiber.data.shapes.scene import Color, Relation, Shape, Size

COUNT_WORDS = ("no", "one", "two", "three")


def shapes_corpus() -> list[str]:
    """Every word of every task in a sentence, often enough to become one token."""
    looks = [(size, color, shape) for size in Size for color in Color for shape in Shape]
    sentences = [f"a {size.word} {color.word} {shape} is" for size, color, shape in looks]
    sentences += [
        f"there are {count} {color.word} {shape.plural} and" for count in COUNT_WORDS for _, color, shape in looks
    ]
    for place in Relation:
        sentences += [f"is the {shape} {place} the {shape} ?" for shape in Shape] * 2
    for shape in Shape:
        sentences += [
            f"what color is the {shape} ?",
            f"how many {shape.plural} are there ?",
            "what shape is the object ?",
        ]
        sentences += [f"both images contain a {shape}", "yes", "no", *(str(count) for count in range(len(COUNT_WORDS)))]
        sentences += [f"there are more {shape.plural} in the left image than in the right image"]
    return sentences
