"""The user's own captions with boxes: one json object per line."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.json_lines import JsonLinesReader
from fiber.data.readers.task_readers import GroundingReader
from fiber.data.records import Box, GroundedCaption, Phrase, Span
from fiber.utils.errors import UserError


class GroundedLine(NamedTuple):
    """One line."""

    image_id: str
    image: str
    caption: GroundedCaption
    height: int
    """0 where the line does not say."""
    width: int


class GroundingJsonl(JsonLinesReader[GroundedLine], GroundingReader):
    """Lines with `image`, `caption`, `phrases` and, if wanted, `width`, `height` (pixels) and `id`.

        {"image": "cat.jpg", "caption": "a cat on a mat", "phrases": [{"text": "a cat", "boxes": [[10, 20, 60, 90]]}]}

    A phrase is named by `text`, of which the first place in the caption counts, by its characters `span` [begin, end),
    or by several such `spans`. Boxes are xyxy in pixels. A caption without phrases has an empty list. Boxes outside of
    the image and spans outside of the caption are not judged here.

    Args:
        path: of the file.
        image_folder: what `image` is relative to; None = the folder of the file.

    Raises:
        UserError: a missing file, a line that is not as described or whose caption lacks a phrase's `text` (named by
            its number), or no line at all.
    """

    expected = (
        'lines such as {"image": "cat.jpg", "caption": "a cat", "phrases": '
        '[{"text": "a cat", "boxes": [[x1, y1, x2, y2]]}]}; "span": [begin, end] or "spans" may stand for "text"'
    )

    def parse(self, content: dict[str, Any], where: str) -> GroundedLine:
        caption, phrases = content["caption"], content.get("phrases")
        if not isinstance(caption, str):
            raise UserError(f"{where}: the caption is no text: expected {self.expected}.")
        if not isinstance(phrases, list):
            raise UserError(f"{where} lacks the list of phrases: expected {self.expected}.")
        grounded = GroundedCaption(caption, tuple(self.phrase(phrase, caption, where) for phrase in phrases))
        height, width = content.get("height", 0), content.get("width", 0)
        if not isinstance(height, int) or not isinstance(width, int):
            raise UserError(f"{where}: height and width are no whole numbers.")
        image_id = str(content.get("id", content["image"]))
        return GroundedLine(image_id, content["image"], grounded, *((height, width) if height and width else (0, 0)))

    def phrase(self, content: Any, caption: str, where: str) -> Phrase:
        """One phrase of a line.

        Raises:
            UserError: it is not as expected.
        """
        keys = {"text", "span", "spans"} & set(content) if isinstance(content, dict) else set()
        if len(keys) != 1:
            raise UserError(f"{where}: a phrase has one of text, span and spans: expected {self.expected}.")
        boxes = number_lists(content.get("boxes"), 4, float, f"{where}: boxes of a phrase are [[x1, y1, x2, y2], ...]")
        corners: tuple[Box, ...] = tuple((left, top, right, bottom) for left, top, right, bottom in boxes)
        if "text" in keys:
            return Phrase((find_text(content["text"], caption, where),), corners)
        pairs = content["spans"] if "spans" in keys else [content["span"]]
        spans = number_lists(pairs, 2, int, f"{where}: a span is [begin, end]")
        return Phrase(tuple((begin, end) for begin, end in spans), corners)

    def measure(self, record: GroundedLine) -> tuple[int, ...]:
        return record.height, record.width

    def sizes(self) -> NDArray[np.int64]:
        return self.numbers

    def grounded_caption(self, index: int) -> GroundedCaption:
        return self.record(index).caption


def find_text(text: Any, caption: str, where: str) -> Span:
    """First place of a phrase in its caption.

    Raises:
        UserError: the caption lacks it.
    """
    begin = caption.find(text) if isinstance(text, str) and text else -1
    if begin < 0:
        raise UserError(f"{where}: the phrase {text!r} does not occur in the caption {caption!r}.")
    return begin, begin + len(text)


def number_lists(value: Any, length: int, kind: type, message: str) -> list[list[Any]]:
    """Check a list of lists of numbers.

    Args:
        value: what should be one.
        length: of every inner list.
        kind: `int`, or `float` which includes it.
        message: of the error.

    Raises:
        UserError: it is something else.
    """
    kinds = (int, float) if kind is float else (int,)
    if not isinstance(value, list) or not all(
        isinstance(item, list) and len(item) == length and all(isinstance(number, kinds) for number in item)
        for item in value
    ):
        raise UserError(f"{message}, not {value!r}.")
    return value
