"""From plain mappings to frozen dataclasses, with errors for users."""

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar, cast

from omegaconf import DictConfig, OmegaConf

from fiber.utils.errors import UserError

T = TypeVar("T")


def plain(config: DictConfig) -> dict[str, Any]:
    """A part of the configuration as a resolved mapping."""
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))


def build_dataclass(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """Fill a dataclass key by key; nested dataclasses and enumerations are built from plain values.

    Args:
        kind: the dataclass.
        values: its fields; those with a default may be absent.
        where: dotted key of `values` in the user's config, for messages.

    Raises:
        UserError: an unknown key, a missing one, or a value of the wrong kind.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{where}={values!r}: give values for {', '.join(typing.get_type_hints(kind))}.")
    hints = typing.get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UserError(f"{where}.{unknown[0]} is no option. {where} takes {', '.join(known)}.")
    for name, field in known.items():
        if name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise UserError(f"{where}.{name} is missing: give it a value.")
    built = {name: convert(hints[name], value, f"{where}.{name}") for name, value in values.items()}
    return kind(**built)


def convert(hint: Any, value: Any, where: str) -> Any:
    """A plain value as the type that a field is annotated with."""
    if isinstance(hint, type) and is_dataclass(hint):
        return build_dataclass(cast(type[Any], hint), value, where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        choices = [str(member.value) for member in hint]
        if str(value) not in choices:
            raise UserError(f"{where}={value} is not one of {', '.join(choices)}.")
        return hint(str(value))
    options = alternatives(hint)
    lists = [option for option in options if typing.get_origin(option) in (tuple, Sequence)]
    if isinstance(value, list | tuple) and lists:
        return convert_items(lists[0], value, where)
    check_number(options, value, where)
    return value


def convert_items(hint: Any, values: Sequence[Any], where: str) -> tuple[Any, ...]:
    """Plain values as the items that a sequence, or a tuple of a fixed length, is annotated with."""
    items = typing.get_args(hint)
    if typing.get_origin(hint) is Sequence or items[1:] == (...,):
        items = items[:1] * len(values)
    if len(items) != len(values):
        raise UserError(f"{where}={list(values)!r}: give {len(items)} values.")
    return tuple(
        convert(item, value, f"{where}.{place}") for place, (item, value) in enumerate(zip(items, values, strict=True))
    )


def alternatives(hint: Any) -> tuple[Any, ...]:
    """Types that an annotation allows."""
    union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    return typing.get_args(hint) if union else (hint,)


def check_number(options: Sequence[Any], value: Any, where: str) -> None:
    """Refuse text, or nothing, where a number or a switch is wanted."""
    if Any in options:
        return
    wanted = {int: (int,), float: (int, float), bool: (bool,)}
    named = [list if typing.get_origin(option) in (tuple, Sequence) else option for option in options]
    allowed = tuple(kind for option in named for kind in wanted.get(option, (option,)) if isinstance(kind, type))
    mistaken_switch = isinstance(value, bool) and bool not in allowed
    if allowed and (mistaken_switch or not isinstance(value, allowed)):
        names = " or ".join(wording(option) for option in options)
        raise UserError(f"{where}={value!r}: give {names}.")


def wording(option: Any) -> str:
    """A type as users write its values."""
    if typing.get_origin(option) in (tuple, Sequence):
        return "a list"
    return "null" if option is types.NoneType else str(getattr(option, "__name__", option))
