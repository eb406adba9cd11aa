"""The user's own pairs: one json object per line."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fiber.data.readers.base import CaptionReader
from fiber.data.readers.files import unique
from fiber.data.readers.json_lines import JsonLinesReader
from fiber.utils.errors import UserError


class PairLine(NamedTuple):
    """One line."""

    image_id: str
    image: str
    captions: tuple[str, ...]


class JsonlPairs(JsonLinesReader[PairLine], CaptionReader):
    """Lines with `image`, `caption` (text or list of texts) and, if wanted, `id`.

    Only the places of the lines are kept in memory: 24 bytes an image.

    Args:
        path: of the file.
        image_folder: what `image` is relative to; None = the folder of the file.

    Raises:
        UserError: a missing file, a line that is not as expected (named by its number), or no line at all.
    """

    expected = 'lines such as {"image": "cat.jpg", "caption": "a cat"}; "caption" may be a list, "id" is optional'

    def parse(self, content: dict[str, Any], where: str) -> PairLine:
        captions = content["caption"] if isinstance(content["caption"], list) else [content["caption"]]
        if not all(isinstance(caption, str) for caption in captions) or not unique(captions):
            raise UserError(f"{where}: the caption is no text, or an empty one.")
        return PairLine(str(content.get("id", content["image"])), content["image"], unique(captions))

    def measure(self, record: PairLine) -> tuple[int, ...]:
        return (len(record.captions),)

    def captions(self, index: int) -> Sequence[str]:
        return self.record(index).captions

    def caption_counts(self) -> NDArray[np.int64]:
        return self.numbers[:, 0]
