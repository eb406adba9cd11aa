"""Texts as RoBERTa's tokeniser cuts them, written out by hand."""

import re
from collections.abc import Callable

import pytest

from fiber.detection.prompts import ClassPrompt


def count_pieces(text: str) -> int:
    """A token for every word and mark, two for `traffic` where it opens a text, one for a last blank."""
    return len(re.findall(r"\w+|[^\w\s]", text)) + text.startswith("traffic") + text.endswith(" ")


@pytest.fixture
def count_tokens() -> Callable[[str], int]:
    return count_pieces


@pytest.fixture
def aquarium() -> list[str | ClassPrompt]:
    """The classes of ODinW's Aquarium in the words that FIBER asks for them."""
    return [
        ClassPrompt("fish", prefix=" "),
        "jellyfish",
        ClassPrompt("penguin", suffix=" , which is black and white"),
        ClassPrompt("puffin", suffix=" with orange beaks "),
        "shark",
        "starfish",
        ClassPrompt("stingray", suffix=" which is flat and round"),
    ]
