"""What each word of an English caption does, told from word lists, endings and neighbours."""

import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from fiber.inference.phrases.english_words import (
    ADJECTIVES_AS_NOUNS,
    ADJECTIVES_IN_ING,
    AUXILIARIES,
    CAN_KINDS,
    CLAUSE_OPENERS,
    COLOURS,
    COMPOUNDS_IN_ED,
    COMPOUNDS_IN_ING,
    COORDINATIONS,
    DETERMINERS,
    HAVE,
    IRREGULAR_PAST,
    MODALS,
    NOUNS_IN_ING,
    NUMBERS,
    PARTICIPLES_ONLY,
    PHRASES_OF_PLACE,
    PLURALS,
    PREPOSITIONS,
    PRONOUNS,
    RECIPROCALS,
    VERBS,
)
from fiber.inference.phrases.word_endings import (
    is_adjective,
    is_adverb,
    is_past,
    is_plural,
    is_third_person,
    singular,
)

WORD = r"\w[\w\u0300-\u036f]*"
TOKEN = re.compile(rf"\d+(?:[.,:]\d+)+|['\u2019]s\b|{WORD}(?:[-'\u2019&/]{WORD})*(?:(?<=s)['\u2019](?=\s))?|[^\w\s]")
POSSESSIVE = re.compile(r"(?:['\u2019]s|(?<=s)['\u2019])$")


class Tag(Enum):
    """Part of speech, as far as noun phrases need it."""

    DETERMINER = auto()
    """Possessive ones too."""
    NUMBER = auto()
    ADJECTIVE = auto()
    """Also participles and adverbs that belong to a noun behind them."""
    NOUN = auto()
    """Whatever is nothing else."""
    POSSESSIVE = auto()
    """A noun with 's, or that ending alone."""
    OF = auto()
    PREPOSITION = auto()
    """Also verbal particles and set phrases such as `in front of`."""
    COORDINATION = auto()
    COMMA = auto()
    CLAUSE = auto()
    """Opens a clause."""
    PRONOUN = auto()
    AUXILIARY = auto()
    FINITE = auto()
    """A verb in the present or past."""
    PARTICIPLE = auto()
    """A verb's -ing, past participle or infinitive."""
    ADVERB = auto()
    MARK = auto()
    """Any other punctuation."""


BEFORE_NOUN = (Tag.DETERMINER, Tag.NUMBER, Tag.ADJECTIVE, Tag.POSSESSIVE)
"""Behind these a noun is still to come."""
GRAMMAR = (
    PRONOUNS | DETERMINERS | PREPOSITIONS | COORDINATIONS | CLAUSE_OPENERS | AUXILIARIES | frozenset({"of"})
) - frozenset({"can"})
"""Words of no noun phrase that began before them, `can` apart, which may be a thing."""


class TaggedWord(NamedTuple):
    """A word or mark of a text."""

    text: str
    """In lower case."""
    start: int
    """Place of its first character."""
    end: int
    """And of the one after its last."""
    tag: Tag


def tag_words(text: str) -> list[TaggedWord]:
    """Words and marks of an English text in their order, tagged."""
    tokens = list(TOKEN.finditer(text))
    tags = Tagger([token.group().lower().replace("\u2019", "'") for token in tokens])
    return [
        TaggedWord(word, token.start(), token.end(), tag)
        for word, token, tag in zip(tags.words, tokens, tags.run(), strict=True)
    ]


def is_clause(words: Sequence[TaggedWord]) -> bool:
    """Whether somebody does or is something: there is a verb in the present or past."""
    return any(word.tag in (Tag.AUXILIARY, Tag.FINITE) for word in words)


class Tagger:
    """Goes through words from left to right.

    Args:
        words: in lower case, marks among them.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.tags: list[Tag] = []
        self.has_verb = False
        """Whether the clause has its finite verb already."""

    def run(self) -> list[Tag]:
        """A tag for each word."""
        while len(self.tags) < len(self.words):
            place = len(self.tags)
            length = self.set_phrase(place)
            if length:
                together = tuple(self.words[place : place + length])
                self.tags += [Tag.PRONOUN if together in RECIPROCALS else Tag.PREPOSITION] * length
                continue
            tag = self.tag(place)
            if tag in (Tag.CLAUSE, Tag.MARK, Tag.COMMA) or (tag is Tag.COORDINATION and not self.is_verb(place + 1)):
                self.has_verb = False
            self.has_verb |= tag in (Tag.AUXILIARY, Tag.FINITE)
            self.tags.append(tag)
        return self.tags

    def set_phrase(self, place: int) -> int:
        """Words of the longest set phrase that begins here; 0 if none does."""
        found = 0
        for phrase in (*PHRASES_OF_PLACE, *RECIPROCALS):
            end = place + len(phrase)
            if len(phrase) <= found or tuple(self.words[place:end]) != phrase:
                continue
            if phrase[-1] in ("of", "to"):
                fits = len(phrase) > 2 or self.before(place) is not Tag.DETERMINER
            else:
                fits = phrase in RECIPROCALS or not self.is_nominal(end)
            if fits:
                found = len(phrase)
        return found

    def before(self, place: int) -> Tag | None:
        """Tag of the word before."""
        return self.tags[place - 1] if place else None

    def word(self, place: int) -> str:
        """Empty behind the last."""
        return self.words[place] if place < len(self.words) else ""

    def tag(self, place: int) -> Tag:
        """The tag of a word whose predecessors have theirs."""
        word, previous = self.words[place], self.before(place)
        if word == ",":
            return Tag.COMMA
        if word in COORDINATIONS:
            return Tag.COORDINATION
        if not (word[0].isalnum() or POSSESSIVE.match(word)):
            return Tag.MARK
        if word == "of":
            return Tag.OF
        closed = self.closed_class(place, word, previous)
        if closed is not None:
            return closed
        if word not in PRONOUNS and POSSESSIVE.search(word):
            return Tag.POSSESSIVE
        if word.endswith("ing") and len(word) > 4:
            return self.tag_ing(place, word, previous)
        if is_past(word):
            return self.tag_past(place, word, previous)
        if self.is_verb(place) and self.takes_verb(place, word, previous):
            infinitive = place and self.words[place - 1] in (MODALS | {"to"})
            return Tag.PARTICIPLE if infinitive else Tag.FINITE
        if place and self.words[place - 1] == "to" and self.word(place + 1) in DETERMINERS:
            return Tag.PARTICIPLE
        as_noun = (
            word in ADJECTIVES_AS_NOUNS and previous in (*BEFORE_NOUN, Tag.NOUN) and not self.is_nominal(place + 1)
        )
        return Tag.ADJECTIVE if is_adjective(word) and not as_noun else Tag.NOUN

    def closed_class(self, place: int, word: str, previous: Tag | None) -> Tag | None:
        """The tag of a word that carries grammar; None for any other."""
        if word in PRONOUNS:
            return Tag.PRONOUN
        if word == "that" and (previous in (Tag.NOUN, Tag.FINITE) or not self.is_nominal(place + 1)):
            return Tag.CLAUSE
        if word in DETERMINERS:
            alone = word in ("her", "this", "that") and not self.is_nominal(place + 1)
            return Tag.PRONOUN if alone else Tag.DETERMINER
        if word in NUMBERS or word[0].isdigit():
            return Tag.NUMBER
        if word in AUXILIARIES and not (word == "can" and self.is_container(place, previous)):
            return Tag.AUXILIARY
        if word in CLAUSE_OPENERS:
            return Tag.CLAUSE
        if word in PREPOSITIONS:
            # `a close up of`, `the outside wall`
            nominal = previous is Tag.DETERMINER or (previous is Tag.ADJECTIVE and self.word(place + 1) == "of")
            return Tag.NOUN if nominal and self.is_open_phrase(place) else Tag.PREPOSITION
        if is_adverb(word):
            # `a very large dog`, `brightly colored kites`
            modifies = self.lexical_modifier(place + 1) and self.is_nominal(place + 2)
            return Tag.ADJECTIVE if modifies or (previous is Tag.DETERMINER) else Tag.ADVERB
        return None

    def is_container(self, place: int, previous: Tag | None) -> bool:
        """`can` as a thing."""
        return previous in (*BEFORE_NOUN, Tag.MARK, None) or (place > 0 and self.words[place - 1] in CAN_KINDS)

    def is_open_phrase(self, place: int) -> bool:
        """Whether the modifiers before a word go back to a determiner."""
        place -= 1
        while place >= 0 and self.tags[place] in (Tag.ADJECTIVE, Tag.NUMBER):
            place -= 1
        return place >= 0 and self.tags[place] in (Tag.DETERMINER, Tag.POSSESSIVE)

    def tag_ing(self, place: int, word: str, previous: Tag | None) -> Tag:
        """A modifier before its noun (`a flying kite`), a noun (`building`), else a verb."""
        following = self.word(place + 1)
        if singular(following) in COMPOUNDS_IN_ING.get(word, ()):
            return Tag.ADJECTIVE if previous is not Tag.NOUN else Tag.NOUN
        if singular(word) in NOUNS_IN_ING:
            acts = previous in (Tag.NOUN, Tag.AUXILIARY, Tag.CLAUSE) and following in DETERMINERS
            return Tag.PARTICIPLE if acts else Tag.NOUN
        if previous in BEFORE_NOUN:
            opened = self.is_open_phrase(place)
            last = self.words[place - 1]
            if self.is_nominal(place + 1):
                return Tag.ADJECTIVE if opened or last not in COLOURS else Tag.PARTICIPLE
            acts = following in DETERMINERS or last in ("another", "other", "both", "all")
            return Tag.NOUN if opened and not acts else Tag.PARTICIPLE
        opens = previous not in (Tag.NOUN, Tag.AUXILIARY, Tag.PRONOUN, Tag.ADVERB)
        return Tag.ADJECTIVE if opens and word in ADJECTIVES_IN_ING and self.is_nominal(place + 1) else Tag.PARTICIPLE

    def tag_past(self, place: int, word: str, previous: Tag | None) -> Tag:
        """A modifier before its noun (`a parked car`, `snow covered hills`), else a verb."""
        modifies = self.is_nominal(place + 1)
        if previous in BEFORE_NOUN:
            if not modifies and previous is Tag.DETERMINER:
                return Tag.NOUN
            return Tag.ADJECTIVE if modifies else Tag.PARTICIPLE
        if previous is Tag.NOUN:
            if modifies and (word in COMPOUNDS_IN_ED or self.words[place - 1] == "half"):
                return Tag.ADJECTIVE
        elif modifies and (previous not in (Tag.PRONOUN, Tag.AUXILIARY) or self.words[place - 1] in HAVE):
            return Tag.ADJECTIVE
        finite = word in IRREGULAR_PAST and word not in PARTICIPLES_ONLY and previous in (Tag.NOUN, Tag.PRONOUN)
        return Tag.FINITE if finite and not self.has_verb else Tag.PARTICIPLE

    def is_verb(self, place: int) -> bool:
        """Whether a word can be a verb in the present."""
        word = self.word(place)
        return word in VERBS or is_third_person(word)

    def takes_verb(self, place: int, word: str, previous: Tag | None) -> bool:
        """Whether a word that can be a verb in the present is one here."""
        if place == 0 or previous is Tag.OF:
            return False
        last = self.words[place - 1]
        if last in COLOURS and self.words[place - 2 : place - 1] == ["in"]:
            previous = Tag.NOUN  # clothes: `the man in red watches`
        if previous in BEFORE_NOUN:
            return False
        if previous in (Tag.PRONOUN, Tag.CLAUSE) or last == "to" or last in MODALS:
            return last != "to" or word in VERBS
        if previous is Tag.ADVERB or previous in (Tag.COORDINATION, Tag.COMMA):
            # `sits and waits`, but `cats and dogs`
            return self.has_verb and self.may_continue_verb(place, previous)
        if previous is not Tag.NOUN or self.has_verb or self.word(place + 1) in AUXILIARIES:
            return False
        if word in VERBS:
            return is_plural(last) or self.is_coordinated(place)
        return last in PLURALS or not is_plural(last)

    def may_continue_verb(self, place: int, previous: Tag) -> bool:
        """Whether a verb behind a coordination may go on from an earlier one: what follows it is no list of things."""
        following = self.word(place + 1)
        if previous is Tag.ADVERB:
            return True
        return following in DETERMINERS | PREPOSITIONS | NUMBERS or is_adverb(following) or self.is_nominal(place + 1)

    def is_coordinated(self, place: int) -> bool:
        """Whether the noun phrase before a word goes back to `and`: `a man and a woman sit`."""
        place -= 1
        while place >= 0 and self.tags[place] in (*BEFORE_NOUN, Tag.NOUN):
            place -= 1
        return place > 0 and self.tags[place] is Tag.COORDINATION

    def lexical_modifier(self, place: int) -> bool:
        """Whether a word can stand before a noun and describe it."""
        word = self.word(place)
        return is_adjective(word) or is_past(word) or word in NUMBERS or word in ADJECTIVES_IN_ING

    def is_nominal(self, place: int) -> bool:
        """Whether a word that is not tagged yet can be of a noun phrase that began before it."""
        word = self.word(place)
        if not word or not word[0].isalnum():
            return False
        if word in GRAMMAR or is_adverb(word) or (word, self.word(place + 1)) in PHRASES_OF_PLACE:
            return False
        if word.endswith("ing") and len(word) > 4:
            return singular(word) in NOUNS_IN_ING or singular(self.word(place + 1)) in COMPOUNDS_IN_ING.get(word, ())
        return self.is_nominal(place + 1) if is_past(word) else True
