"""Class lists like those of large detection data sets."""

import random

SYLLABLES = [consonant + vowel for consonant in "bcdfghklmnprstvw" for vowel in ("a", "e", "i", "o", "u", "ar", "en")]


def random_class_names(number: int) -> list[str]:
    """Different names of one to three words of one to four syllables; the same ones at every call."""
    rng = random.Random(0)
    names: dict[str, None] = {}
    while len(names) < number:
        words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))]
        names[" ".join(words)] = None
    return list(names)
