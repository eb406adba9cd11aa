"""Which phrases of a text are asked for."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from fiber.detection.prompts import Prompt, Span, bracketed_phrases, separated_phrases
from fiber.inference.phrases.noun_phrases import noun_phrases
from fiber.inference.phrases.word_tags import is_clause, tag_words
from fiber.utils.errors import UserError

Phrase = str | Span | Sequence[Span]
"""Words that occur in the text, the characters that hold them, or several runs of characters that name one thing."""


class PhraseSource(StrEnum):
    """How the phrases of a text became known."""

    GIVEN = "given"
    """The caller named them beside the text."""
    BRACKETS = "brackets"
    """The text marks them."""
    LIST = "list"
    """The text is a list of them."""
    NOUN_PHRASES = "noun_phrases"
    """Rules found them (`noun_phrases`)."""
    WHOLE_TEXT = "whole_text"
    """The text is the phrase, since no other was found."""


class PhrasedText(NamedTuple):
    """A text with its phrases."""

    prompt: Prompt
    source: PhraseSource


def choose_phrases(text: str, phrases: Sequence[Phrase] | None = None) -> PhrasedText:
    """The phrases of a text, from the first of these that there is:

    1. `phrases`, whatever the text holds.
    2. Square brackets, which do not stay in the text: `[a small dog] chases [two cats]`.
    3. Two or more parts between full stops (`a small dog. the man in red`), each a phrase as it is. If any part has a
       verb in the present or past (`A man sits. He holds a dog.`), the text is no list but sentences.
    4. Noun phrases: `a small dog chases two cats` names `a small dog` and `two cats`.
    5. The whole text.

    So one expression of several nouns (`the man in red`) falls into its nouns: to ask for it as one thing, put it in
    brackets or among `phrases`. Outer blanks of a text without `phrases` are left out.

    Raises:
        UserError: the text names nothing, its brackets do not fit, or a phrase is not of the text.
    """
    if phrases is not None:
        return PhrasedText(Prompt(text, given_spans(text, phrases)), PhraseSource.GIVEN)
    text = text.strip()
    if "[" in text or "]" in text:
        found = PhrasedText(bracketed_phrases(text), PhraseSource.BRACKETS)
    else:
        found = found_phrases(text)
    if not found.prompt.spans:
        raise UserError(f"text {text!r} names nothing: give a phrase, say 'a small dog'.")
    return found


def found_phrases(text: str) -> PhrasedText:
    """The phrases of a text that marks none."""
    parts = separated_phrases(text)
    words = tag_words(text)
    if len(parts.spans) > 1 and not is_clause(words):
        return PhrasedText(parts, PhraseSource.LIST)
    spans = noun_phrases(words)
    if spans:
        return PhrasedText(Prompt(text, tuple((span,) for span in spans)), PhraseSource.NOUN_PHRASES)
    return PhrasedText(parts, PhraseSource.WHOLE_TEXT)


def given_spans(text: str, phrases: Sequence[Phrase]) -> tuple[tuple[Span, ...], ...]:
    """The characters of phrases that a caller names.

    Words stand for their first occurrence that no phrase before has taken, whole and in upper or lower case; one within
    another phrase counts only where there is no other.

    Raises:
        UserError: there is no phrase, or one does not occur in the text.
    """
    several = isinstance(phrases, Sequence) and not isinstance(phrases, str)
    if not several or not phrases or not all(isinstance(phrase, Sequence) for phrase in phrases):
        raise UserError(f"phrases={phrases!r}: give a list of phrases of the text {text!r}, say ['a small dog'].")
    found: list[tuple[Span, ...]] = []
    for phrase in phrases:
        found.append(occurrence(text, phrase, found) if isinstance(phrase, str) else checked_spans(text, phrase))
    return tuple(found)


def occurrence(text: str, phrase: str, taken: Sequence[Sequence[Span]]) -> tuple[Span, ...]:
    """Where the words of a phrase stand."""
    words = re.escape(phrase.strip())
    matches = [match.span() for match in re.finditer(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE)] if words else []
    used = [span for spans in taken for span in spans]
    free = [(start, end) for start, end in matches if all(end <= first or last <= start for first, last in used)]
    left = free or [span for span in matches if span not in used]
    if not left:
        times = f"occurs {len(matches)} times" if matches else "does not occur"
        raise UserError(f"phrase {phrase!r} {times} in the text {text!r}: give words of it, once for each occurrence.")
    return (left[0],)


def checked_spans(text: str, phrase: Span | Sequence[Span]) -> tuple[Span, ...]:
    """One or several spans of the text as several."""
    spans = [phrase] if len(phrase) == 2 and all(isinstance(place, int) for place in phrase) else list(phrase)
    checked: list[Span] = []
    for span in spans:
        match span:
            case (int(start), int(end)) if 0 <= start < end <= len(text) and text[start:end].strip():
                checked.append((start, end))
            case _:
                raise UserError(
                    f"phrase {span!r} is no span of the text {text!r}: give (first character, one after the last) "
                    f"within 0 and {len(text)}."
                )
    if not checked:
        raise UserError(f"phrase {phrase!r} has no span: give (first character, one after the last).")
    return tuple(checked)
