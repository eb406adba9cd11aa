"""Readers of boxes without files, and a tokeniser whose tokens are words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.task_readers import BoxReader, DetectionReader, GroundingReader
from fiber.data.records import Box, GroundedCaption, LabeledBox, Phrase, Span
from fiber.data.tokenization import TextTokenizer, train_tokenizer

SIZE = (100, 80)
"""Width and height of a picture."""
BEACH = "Two men hold a red ball near the beach ."
MEN: Box = (0.0, 0.0, 20.0, 40.0)
OTHER_MAN: Box = (30.0, 0.0, 50.0, 40.0)
BALL: Box = (60.0, 60.0, 120.0, 120.0)


def grounded(text: str, *phrases: tuple[Sequence[Span], Sequence[Box]]) -> GroundedCaption:
    return GroundedCaption(text, tuple(Phrase(tuple(spans), tuple(boxes)) for spans, boxes in phrases))


BEACH_SCENE = grounded(BEACH, ([(0, 7)], [MEN, OTHER_MAN]), ([(13, 23)], [BALL]))


def word_tokenizer(*texts: str) -> TextTokenizer:
    """Every word and mark of the texts is one token."""
    return train_tokenizer([BEACH, *texts], 1000)


class MemoryImages(BoxReader):
    """Pictures whose left half is black and whose right half is white.

    Args:
        num_images: of the reader.
        size: width and height of them.
        broken: images that cannot be decoded.
        stated: height and width per image, if other than the true ones.
    """

    name = "memory"

    def __init__(
        self,
        num_images: int,
        *,
        size: tuple[int, int] = SIZE,
        broken: Sequence[int] = (),
        stated: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        self.num_images, self.size, self.broken = num_images, size, broken
        self.stated = stated or [(size[1], size[0])] * num_images

    def __len__(self) -> int:
        return self.num_images

    def location(self, index: int) -> str:
        return f"{index}.png"

    def image_id(self, index: int) -> str:
        return str(index)

    def sizes(self) -> NDArray[np.int64]:
        return np.array(self.stated, dtype=np.int64).reshape(-1, 2)

    def load_image(self, index: int) -> Image.Image:
        if index in self.broken:
            raise BrokenImageError(f"{self.location(index)}: cut short")
        width, height = self.size
        pixels = np.zeros((height, width, 3), dtype=np.uint8)
        pixels[:, width // 2 :] = 255
        return Image.fromarray(pixels)


class MemoryCaptions(MemoryImages, GroundingReader):
    """Captions with boxes; keywords as for `MemoryImages`."""

    def __init__(self, *captions: GroundedCaption, **options: object) -> None:
        super().__init__(len(captions), **options)  # type: ignore[arg-type]
        self.all_captions = captions

    def grounded_caption(self, index: int) -> GroundedCaption:
        return self.all_captions[index]


class MemoryObjects(MemoryImages, DetectionReader):
    """Objects of three classes; keywords as for `MemoryImages`."""

    classes = ("left_shoe", "right_shoe", "dog")
    category_ids = (3, 5, 9)

    def __init__(self, *images: Sequence[LabeledBox], **options: object) -> None:
        super().__init__(len(images), **options)  # type: ignore[arg-type]
        self.all_objects = images

    def objects(self, index: int) -> Sequence[LabeledBox]:
        return self.all_objects[index]
