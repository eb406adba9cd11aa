"""What a grounded detector is asked for: a text, and the characters of it that name each label."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from fiber.utils.errors import UserError

Span = tuple[int, int]
"""First character and the one after the last."""

SEPARATOR = ". "
"""Between classes; none follows the last."""
BACKGROUND = "__background__"
"""Entry that some class lists open with; never asked for."""

PARENTHESES = re.compile(r"\(.*\)", re.DOTALL)
PHRASE_END = re.compile(r"\s*\.(?:\s+|$)")


class ClassPrompt(NamedTuple):
    """A class worded by hand, for instance `there is a ` + `package` + ` on the porch`."""

    name: str
    """The label's span; used as it is, without `clean_name`."""
    prefix: str = ""
    suffix: str = ""


class Prompt(NamedTuple):
    """A text with its labels."""

    text: str
    spans: tuple[tuple[Span, ...], ...]
    """Per label, the characters that name it."""

    @property
    def names(self) -> tuple[str, ...]:
        """Per label, the words that name it."""
        return tuple(" ".join(self.text[start:end] for start, end in spans).strip() for spans in self.spans)


def clean_name(name: str) -> str:
    """A class name as text: `traffic_light` -> `traffic light`, `bass_(fish)` -> `bass `.

    Drops everything from the first `(` to the last `)`, makes blanks of underscores and halves runs of blanks. Outer
    blanks stay, as in the prompts that FIBER was trained with.
    """
    return PARENTHESES.sub("", name).replace("_", " ").replace("  ", " ")


def require_names(classes: Sequence[str | ClassPrompt]) -> None:
    """Raise a UserError if a name is blank, or nothing of it is left by cleaning."""
    for index, entry in enumerate(classes):
        name = clean_name(entry) if isinstance(entry, str) else entry.name
        if not name.strip():
            shown = entry if isinstance(entry, str) else entry.name
            raise UserError(
                f"class {index} ({shown!r}) names nothing: word it with data.prompts=[...], or give a name outside of "
                "parentheses."
            )


def class_prompt(classes: Sequence[str | ClassPrompt], *, clean: bool = True) -> Prompt:
    """Class names joined by `SEPARATOR`, one label per class in their order.

    Args:
        classes: names, or names with words around them, which are no part of the label's span.
        clean: pass plain names through `clean_name`.

    Raises:
        UserError: a name is blank, or nothing of it is left by cleaning.
    """
    text, spans = "", []
    for index, entry in enumerate(classes):
        worded = ClassPrompt(clean_name(entry) if clean else entry) if isinstance(entry, str) else entry
        if not worded.name.strip():
            raise UserError(f"prompt: entry {index} ({entry!r}) names nothing: give a word outside of parentheses.")
        text += (SEPARATOR if index else "") + worded.prefix
        spans.append(((len(text), len(text) + len(worded.name)),))
        text += worded.name + worded.suffix
    return Prompt(text, tuple(spans))


def bracketed_phrases(marked: str) -> Prompt:
    """A text whose phrases are marked by square brackets, which do not stay in it.

    Args:
        marked: for instance `[a small dog] chases [two cats]`.

    Raises:
        UserError: brackets are nested, empty or not closed.
    """
    text, spans, start = "", [], None
    for place, character in enumerate(marked):
        if character == "[" and start is None:
            start = len(text)
        elif character == "]" and start is not None and text[start:].strip():
            spans.append((trimmed(text, start, len(text)),))
            start = None
        elif character in "[]":
            fault = "opens inside another" if character == "[" else "closes no phrase"
            raise UserError(f"text {marked!r}: the '{character}' at character {place} {fault}: write [a small dog].")
        else:
            text += character
    if start is not None:
        raise UserError(f"text {marked!r}: a '[' is not closed: write [a small dog].")
    return Prompt(text, tuple(spans))


def separated_phrases(text: str) -> Prompt:
    """A list whose phrases end with full stops before a blank or the end: `a small dog. two cats`."""
    ends = [match.span() for match in PHRASE_END.finditer(text)]
    parts = zip([0, *(end for _, end in ends)], [*(start for start, _ in ends), len(text)], strict=True)
    return Prompt(text, tuple((trimmed(text, start, end),) for start, end in parts if text[start:end].strip()))


def trimmed(text: str, start: int, end: int) -> Span:
    """The span without outer blanks."""
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())
