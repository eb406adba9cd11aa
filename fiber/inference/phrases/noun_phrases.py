"""Noun phrases of English captions, by rules."""

from collections.abc import Sequence

from fiber.detection.prompts import Span
from fiber.inference.phrases.english_words import COLOURS, MATERIALS, PARTITIVES, SMALL_NUMBERS
from fiber.inference.phrases.word_endings import singular
from fiber.inference.phrases.word_tags import BEFORE_NOUN, POSSESSIVE, Tag, TaggedWord

QUANTITIES = frozenset({"some", "all", "each", "any", "both"})


def noun_phrases(words: Sequence[TaggedWord]) -> tuple[Span, ...]:
    """The things that an English caption names, as Flickr30k Entities marks them.

    A phrase goes from its determiner to its noun: `a man's hat`, `a red, green and blue kite`, `two smiling girls`.
    `of` joins amounts and containers to what they hold (`a group of people`) and parts everything else (`a picture`
    of `a man`). Coordinated nouns are phrases of their own, colours behind `in` are clothes (`a man` in `red`). No
    phrase are pronouns, and places relative to something (`in front of`, `in the middle of`, `on the left`).

    Args:
        words: of one sentence or several, of any characters, tagged.

    Returns:
        Spans of the text in order, disjoint, without blanks or punctuation around them; none where nothing is named.
    """
    found: list[Span] = []
    start = 0
    while start < len(words):
        end = phrase_end(words, start)
        span = named_span(words, start, end)
        if span is not None:
            found.append(span)
        start = max(end, start + 1)
    return tuple(found)


def phrase_end(words: Sequence[TaggedWord], start: int) -> int:
    """Place after the longest run of words from `start` that can be one phrase."""
    end = start
    while end < len(words) and continues(words, start, end):
        end += 1
    return end


def continues(words: Sequence[TaggedWord], start: int, place: int) -> bool:
    """Whether a word belongs to the phrase that the words from `start` up to it have begun."""
    tag = words[place].tag
    if place == start:
        return tag in (*BEFORE_NOUN, Tag.NOUN)
    last = words[place - 1].tag
    match tag:
        case Tag.NOUN | Tag.POSSESSIVE:
            return True
        case Tag.DETERMINER:
            return last in (Tag.DETERMINER, Tag.OF)
        case Tag.NUMBER:
            return last is not Tag.NOUN or words[place].text[0].isdigit()
        case Tag.ADJECTIVE:
            return last is not Tag.NOUN or noun_follows(words, place)
        case Tag.OF:
            return is_partitive(words[place - 1])
        case Tag.COORDINATION | Tag.COMMA:
            return joins_modifiers(words, place)
        case _:
            return False


def noun_follows(words: Sequence[TaggedWord], place: int) -> bool:
    """Whether a run of modifiers from here ends in a noun."""
    while place < len(words) and words[place].tag in (Tag.ADJECTIVE, Tag.NUMBER):
        place += 1
    return place < len(words) and words[place].tag in (Tag.NOUN, Tag.POSSESSIVE)


def joins_modifiers(words: Sequence[TaggedWord], place: int) -> bool:
    """Whether a comma or `and` stands between modifiers of one noun: `a red, green and blue kite`."""
    before = place - 1 if words[place - 1].tag is not Tag.COMMA else place - 2
    if not is_modifier(words[before]):
        return False
    while place < len(words) and words[place].tag in (Tag.COORDINATION, Tag.COMMA):
        place += 1
    if place >= len(words) or not is_modifier(words[place]):
        return False
    numbers = [words[at].tag is Tag.NUMBER for at in (before, place)]
    if numbers[0] != numbers[1] or (words[before].text in MATERIALS and words[place].text not in MATERIALS):
        return False
    after = place + 1
    if after < len(words) and words[after].tag in (Tag.COORDINATION, Tag.COMMA):
        return joins_modifiers(words, after)
    # Of colours alone (`in black and white`) there is no noun behind.
    return noun_follows(words, after) or (is_colour(words[before]) and is_colour(words[place]))


def is_modifier(word: TaggedWord) -> bool:
    return word.tag in (Tag.ADJECTIVE, Tag.NUMBER) or word.text in MATERIALS


def is_colour(word: TaggedWord) -> bool:
    return word.text in COLOURS


def is_partitive(word: TaggedWord) -> bool:
    """Whether `of` behind the word joins: an amount or a container."""
    if word.tag is Tag.NUMBER or word.text in QUANTITIES:
        return True
    return word.text in PARTITIVES or singular(word.text) in PARTITIVES


def named_span(words: Sequence[TaggedWord], start: int, end: int) -> Span | None:
    """The span of a phrase without what trails behind its noun; None if it has none."""
    while end > start and not is_head(words, start, end - 1):
        end -= 1
    if end == start:
        return None
    last = words[end - 1]
    ending = POSSESSIVE.search(last.text) if last.tag is Tag.POSSESSIVE else None
    return words[start].start, last.end - (len(ending.group()) if ending else 0)


def is_head(words: Sequence[TaggedWord], start: int, place: int) -> bool:
    """Whether a phrase from `start` may end with the word."""
    word = words[place]
    match word.tag:
        case Tag.NOUN:
            return True
        case Tag.POSSESSIVE:
            return word.text not in ("'s", "'")
        case Tag.NUMBER:
            behind = place > start and words[place - 1].tag in (Tag.DETERMINER, Tag.ADJECTIVE, Tag.NOUN)
            return behind or word.text in SMALL_NUMBERS
        case Tag.ADJECTIVE:
            opened = words[start].tag is Tag.DETERMINER and place > start
            clothes = is_colour(word) and start > 0 and words[start - 1].text == "in"
            return opened or clothes
        case _:
            return False
