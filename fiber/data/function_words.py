"""English words that carry grammar rather than content."""

DETERMINERS = (
    "a",
    "an",
    "the",
    "this",
    "that",
    "these",
    "those",
    "some",
    "any",
    "each",
    "every",
    "its",
    "their",
    "his",
)
PRONOUNS = (
    "i",
    "you",
    "he",
    "she",
    "it",
    "we",
    "they",
    "me",
    "him",
    "her",
    "us",
    "them",
    "my",
    "your",
    "our",
    "who",
    "which",
)
VERBS = (
    "am",
    "is",
    "are",
    "was",
    "were",
    "be",
    "been",
    "being",
    "do",
    "does",
    "did",
    "has",
    "have",
    "had",
    "can",
    "will",
)
PREPOSITIONS = ("of", "to", "in", "on", "at", "by", "for", "from", "with", "into", "onto", "as", "about", "than")
CONJUNCTIONS = ("and", "or", "but", "so", "if", "while", "because", "there", "here", "not", "s", "t")

FUNCTION_WORDS = frozenset((*DETERMINERS, *PRONOUNS, *VERBS, *PREPOSITIONS, *CONJUNCTIONS))
"""The accuracy of masked language modelling on content words leaves these out: they can be guessed without the image.
Spatial words (left, above, under), numbers and adjectives are content."""
