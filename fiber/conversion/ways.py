"""Which conversions there are, and which options each of them uses."""

from collections.abc import Mapping
from enum import StrEnum

from fiber.conversion.config import ConversionConfig
from fiber.utils.errors import UserError


class Way(StrEnum):
    """What is read and what is made of it, in words for messages."""

    FROM_ORIGINAL = "a file in the original's format"
    ORIGINAL_AGAIN = "a file in the original's format and to=reference"
    FROM_HALVES = "image=FILE text=FILE"
    EXPORT = "a run or model folder"
    TO_ORIGINAL = "a run or model folder and to=reference"
    TO_PROGRAMS = "a run or model folder and to=programs"


OF_ORIGINAL = (Way.FROM_ORIGINAL, Way.ORIGINAL_AGAIN)
OF_SIZES = (*OF_ORIGINAL, Way.FROM_HALVES)
USED_BY: Mapping[str, tuple[Way, ...]] = {
    "task": OF_ORIGINAL,
    "weights": OF_ORIGINAL,
    "image_size": OF_SIZES,
    "image_height": (Way.TO_PROGRAMS,),
    "image_width": (Way.TO_PROGRAMS,),
    "max_text_length": OF_SIZES,
    "text_heads": OF_SIZES,
    "query_norm": OF_SIZES,
    "num_fusion_layers": (Way.FROM_HALVES,),
    "answers": (Way.FROM_ORIGINAL,),
    "tokenizer.path": (Way.FROM_ORIGINAL, Way.FROM_HALVES),
    "allow_surprising": (*OF_ORIGINAL, Way.TO_ORIGINAL),
    "keep_extra": (*OF_ORIGINAL, Way.EXPORT, Way.TO_ORIGINAL),
}
"""Options beside those that choose the way."""
SWITCHES: Mapping[str, bool] = {"allow_surprising": False, "keep_extra": True}
"""Those that are never null, as they are unless the user sets them."""


def refuse_unused(settings: ConversionConfig, way: Way) -> None:
    """Raise a UserError if an option is given that changes nothing."""
    values = {**vars(settings), "tokenizer.path": settings.tokenizer.path}
    for name, ways in USED_BY.items():
        if way not in ways and values[name] not in (None, SWITCHES.get(name)):
            others = ", or with ".join(ways)
            raise UserError(f"{name}={values[name]} changes nothing with {way}, only with {others}. Leave it out.")
