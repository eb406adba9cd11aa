"""Command lines whose values are free text."""

import re
import shlex
from collections.abc import Collection, Sequence
from difflib import get_close_matches

from fiber.utils.errors import UserError

QUOTES = "'\""
ITEM = re.compile(r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^,\[\]]*?))\s*(?:,|$)""")
"""Of a list: in quotes, or without commas and brackets."""


def quoted(arguments: Sequence[str], *, texts: Collection[str], lists: Collection[str] = ()) -> list[str]:
    """Command line on which Hydra takes free texts literally.

    Hydra has a grammar for values: without quotes of its own, `text=[a dog]` would be a list, and `image=cat (1).jpg`
    an error. The shell has used up the quotes that a user typed.

    Args:
        arguments: `key=value` each.
        texts: keys whose values are text, unless they are lists of texts in quotes (`["a, b","[c]"]`). A value in
            quotes stays as it is, and `null` means that there is none.
        lists: keys whose values are text unless they are lists, in square brackets; their items need quotes only for
            commas and brackets.
    """

    def literal(key: str, value: str) -> str:
        if value == "null":
            return value
        items = list_items(value, bare=key in lists) if key in (*texts, *lists) else None
        if items is not None:
            return f"[{','.join(map(in_quotes, items))}]"
        return quote(value) if key in (*texts, *lists) else value

    pairs = [argument.partition("=") for argument in arguments]
    return [key + sign + literal(key, value) for key, sign, value in pairs]


def require_pairs(arguments: Sequence[str], keys: Collection[str]) -> None:
    """Check words before Hydra sees them, which says less of what is wrong.

    Args:
        arguments: `key=value` each, or flags, behind which a word may be their value.
        keys: of the configuration; Hydra's own, and what its grammar adds or deletes, are left to it.

    Raises:
        UserError: a word is something else, as of a text without quotes, or a key is unknown.
    """
    for place, word in enumerate(arguments):
        key, sign, _ = word.partition("=")
        if word.startswith(("-", "+", "~")) or (place and not sign and arguments[place - 1].startswith("-")):
            continue
        if not sign:
            first = max((at for at in range(place) if "=" in arguments[at]), default=place)
            last = next((at for at in range(place, len(arguments)) if "=" in arguments[at]), len(arguments))
            whole = shlex.quote(" ".join(arguments[first:last])) if first < place else f"'KEY={word}'"
            raise UserError(f"{word!r} is no key=value: put quotes around the whole: {whole}")
        if key not in keys and not key.startswith(("hydra.", "hydra/")):
            near = get_close_matches(key, keys, n=1)
            raise UserError(f"{key} is no key: give {near[0] if near else ', '.join(keys)}.")


def list_items(value: str, *, bare: bool) -> list[str] | None:
    """Items of a list in square brackets, blank ones left out; None if the value is no list.

    Args:
        value: as it was typed.
        bare: whether items may do without quotes.
    """
    if not (value.startswith("[") and value.endswith("]")):
        return None
    content, items, place = value[1:-1], [], 0
    while place < len(content):
        item = ITEM.match(content, place)
        if item is None or (item["bare"] is not None and not bare):
            return None
        items.append(item["double"] or item["single"] or item["bare"] or "")
        place = item.end()
    return [item for item in items if item]


def quote(value: str) -> str:
    """A value in Hydra's quotes, unless it has some."""
    is_quoted = len(value) > 1 and value[0] in QUOTES and value[-1] == value[0]
    return value if not value or is_quoted else in_quotes(value)


def in_quotes(value: str) -> str:
    """A value in Hydra's quotes."""
    # Backslashes count only before what they could escape: a reference to another key, a quote, the end.
    value = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    value = re.sub(r"(\\*)'", r"\1\1\\'", value)
    value = re.sub(r"(\\+)$", r"\1\1", value)
    return f"'{value}'"


def with_command(arguments: Sequence[str]) -> list[str]:
    """Command line for Hydra whose first word, if it is no `key=value`, becomes the value of `command`."""
    if arguments and "=" not in arguments[0] and not arguments[0].startswith("-"):
        return [f"command={arguments[0]}", *arguments[1:]]
    return list(arguments)
