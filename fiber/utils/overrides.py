"""Command lines whose values are free text."""

import re
from collections.abc import Collection, Sequence

QUOTES = "'\""


def quoted(arguments: Sequence[str], *, texts: Collection[str], lists: Collection[str] = ()) -> list[str]:
    """Command line on which Hydra takes free texts literally.

    Hydra has a grammar for values: without quotes of its own, `text=[a dog]` would be a list, and `image=cat (1).jpg`
    an error. The shell has used up the quotes that a user typed.

    Args:
        arguments: `key=value` each.
        texts: keys whose values are text. A value in quotes stays as it is.
        lists: keys whose values are text unless they are lists, in square brackets.
    """

    def is_text(key: str, value: str) -> bool:
        return key in texts or (key in lists and not (value.startswith("[") and value.endswith("]")))

    pairs = [argument.partition("=") for argument in arguments]
    return [f"{key}={quote(value)}" if is_text(key, value) else key + sign + value for key, sign, value in pairs]


def quote(value: str) -> str:
    """A value in Hydra's quotes, unless it has some."""
    if not value or (len(value) > 1 and value[0] in QUOTES and value[-1] == value[0]):
        return value
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
