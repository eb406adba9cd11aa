"""What words of English captions can be, told by lists and endings."""

from fiber.inference.phrases.english_words import (
    ADJECTIVE_ENDINGS,
    ADJECTIVES,
    ADJECTIVES_LIKE_ADVERBS,
    ADVERBS,
    COLOURS,
    IRREGULAR_PAST,
    NOUNS_LIKE_ADJECTIVES,
    NOUNS_LIKE_ADVERBS,
    PLURALS,
    VERBS,
    WORDS_LIKE_PAST,
)


def is_adjective(word: str) -> bool:
    """By list or ending; hyphens join adjectives too."""
    if word in ADJECTIVES or word in COLOURS or word in ADJECTIVES_LIKE_ADVERBS:
        return True
    return word.endswith(ADJECTIVE_ENDINGS) and len(word) > 5 and word not in NOUNS_LIKE_ADJECTIVES


def is_adverb(word: str) -> bool:
    """By list or ending."""
    if word in ADVERBS:
        return True
    return word.endswith("ly") and len(word) > 4 and word not in NOUNS_LIKE_ADVERBS | ADJECTIVES_LIKE_ADVERBS


def is_past(word: str) -> bool:
    """A past or a past participle, by list or ending."""
    return word in IRREGULAR_PAST or (word.endswith("ed") and len(word) > 3 and word not in WORDS_LIKE_PAST)


def is_plural(word: str) -> bool:
    """A plural noun, by list or ending."""
    return word in PLURALS or (word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 2)


def singular(word: str) -> str:
    """Without a plural's ending."""
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def is_third_person(word: str) -> bool:
    """Whether the word is the third person of a known verb: `watches`."""
    stems = {word[:-1]} if word.endswith("s") else set()
    if word.endswith("es"):
        stems.add(word[:-2])
    if word.endswith("ies"):
        stems.add(word[:-3] + "y")
    return not stems.isdisjoint(VERBS)
