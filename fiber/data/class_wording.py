"""The user's words for the classes of a data set."""

from collections.abc import Mapping, Sequence
from typing import Any

from fiber.detection.prompts import ClassPrompt
from fiber.utils.errors import UserError

KEYS = ClassPrompt._fields
SHOWN = 10
"""Classes listed in a message."""


def worded_classes(
    classes: Sequence[str],
    default: Sequence[str | ClassPrompt],
    prompts: Sequence[Any] | None,
    *,
    reader_name: str,
    where: str = "data.prompts",
) -> Sequence[str | ClassPrompt]:
    """What to ask for each class.

    Args:
        classes: names of the data set's classes.
        default: what to ask unless the user says otherwise, one entry per class.
        prompts: the user's words, one entry per class in their order: a text, or a mapping with `name` and, if wanted,
            `prefix` and `suffix`; None = the default.
        reader_name: of the data set, for messages.
        where: the key that holds them, for messages.

    Raises:
        UserError: there are more or fewer entries than classes, or an entry is something else, or blank.
    """
    if prompts is None:
        return default
    if isinstance(prompts, str) or len(prompts) != len(classes):
        given = "one text" if isinstance(prompts, str) else f"{len(prompts)} entries"
        raise UserError(
            f"{reader_name}: {where} has {given} for {len(classes)} classes: give one entry per class, in the order "
            f"{shortened(classes)}."
        )
    return tuple(worded(entry, f"{where}[{place}] ({classes[place]})") for place, entry in enumerate(prompts))


def worded(entry: Any, where: str) -> str | ClassPrompt:
    """One class in the user's words.

    Raises:
        UserError: it is neither a text nor a mapping of texts, or names nothing.
    """
    given = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(given, Mapping) or not all(isinstance(text, str) for text in given.values()):
        raise UserError(f"{where}: {entry!r} is no prompt: give a text, or {{name: ..., prefix: ..., suffix: ...}}.")
    if unknown := [str(key) for key in given if key not in KEYS]:
        raise UserError(f"{where}: unknown key {', '.join(unknown)}: choose from {', '.join(KEYS)}.")
    if not given.get("name", "").strip():
        raise UserError(f"{where} names nothing: give name, the words that stand for the class.")
    return entry if isinstance(entry, str) else ClassPrompt(**given)


def shortened(classes: Sequence[str]) -> str:
    """The first classes."""
    more = f", ... ({len(classes)} in all)" if len(classes) > SHOWN else ""
    return ", ".join(classes[:SHOWN]) + more
