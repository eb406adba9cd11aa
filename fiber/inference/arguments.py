"""What callers hand to any predictor: checked, listed, aligned and cut into batches."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from fiber.data.rgb import to_rgb
from fiber.utils.errors import UserError
from fiber.utils.ranges import is_whole

TextList = list[str] | tuple[str, ...]
Texts = str | TextList


def list_images(images: Any, name: str = "images") -> tuple[Image.Image, ...]:
    """One picture or several as RGB.

    Args:
        images: what a caller gave.
        name: of the argument, for messages.

    Raises:
        UserError: there is none, one is empty, or something else is among them.
    """
    several = isinstance(images, Sequence) and not isinstance(images, str)
    given = list(images) if several else [images]
    if not given:
        raise UserError(f"{name} is empty: give one picture at least.")
    for place, image in enumerate(given):
        where = f"{name}[{place}]" if several else name
        if isinstance(image, str | Path):
            raise UserError(f"{where} is the path {str(image)!r}: open the picture with PIL.Image.open.")
        if not isinstance(image, Image.Image):
            raise UserError(
                f"{where} is of type {type(image).__name__}: give a picture of PIL, or a list of them "
                "(PIL.Image.fromarray makes one of an array)."
            )
        if not min(image.size):
            raise UserError(f"{where} has {image.width} x {image.height} pixels: give a picture that has some.")
    return tuple(map(to_rgb, given))


def list_texts(texts: Any, name: str) -> tuple[str, ...]:
    """One text or several as they are.

    Args:
        texts: what a caller gave.
        name: of the argument, for messages.

    Raises:
        UserError: there is none, one is blank or no Unicode, or something else is among them.
    """
    several = isinstance(texts, Sequence) and not isinstance(texts, str)
    given = list(texts) if several else [texts]
    if not given:
        raise UserError(f"{name} is empty: give one text at least.")
    for place, text in enumerate(given):
        where = f"{name}[{place}]" if several else name
        if not isinstance(text, str):
            raise UserError(f"{where} is of type {type(text).__name__}: give a text, or a list of them.")
        if not text.strip():
            raise UserError(f"{where} is blank: give some words.")
        require_unicode(text, where)
    return tuple(given)


def aligned(**counts: int) -> list[tuple[int, ...]]:
    """What belongs to each of K questions: for every kind of thing its place, which is 0 throughout if there is one.

    Args:
        counts: how many there are of each kind, 1 or K.

    Raises:
        UserError: the numbers do not go together.
    """
    total = max(counts.values())
    if any(count not in (1, total) for count in counts.values()):
        given = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise UserError(f"{given}: give one for all, or as many of each.")
    return [tuple(place if count == total else 0 for count in counts.values()) for place in range(total)]


def require_count(value: int, name: str) -> int:
    """The number.

    Raises:
        UserError: it is no whole number of at least 1.
    """
    if not is_whole(value) or value < 1:
        raise UserError(f"{name}={value}: give 1 or more, a whole number.")
    return value


def require_unicode(text: str, name: str) -> None:
    """Raise a `UserError` if the text holds half of a character, as undecodable bytes leave it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{name} {text!r} is no Unicode at character {error.start}: leave that one out.") from error


def require_encoder(encoder: object, own: object, name: str) -> None:
    """Raise a `UserError` if another model made what a caller gives encoded.

    Args:
        encoder: that made it.
        own: of the model that is asked.
        name: of the argument, for messages.
    """
    if encoder is not own:
        encode = "encode_classes" if name == "classes" else "encode_images"
        raise UserError(f"{name} were encoded by another model: encode them with {encode} of the model that is asked.")


def batches(num_rows: int, batch_size: int) -> Iterator[slice]:
    """Rows that go through a model together."""
    for start in range(0, num_rows, batch_size):
        yield slice(start, start + batch_size)
