"""What retrieval ranks: the images of a split, and its captions tokenised once.

Axes: I images, T texts, L text tokens, S image side in pixels.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from fiber.data.batch import SampleKey
from fiber.data.readers.base import CaptionReader
from fiber.data.replacing_dataset import ReplacingDataset
from fiber.data.retrieval_batch import GallerySample
from fiber.data.tokenization import TextTokenizer
from fiber.data.transforms import PixelTransform
from fiber.utils.errors import UserError

STANDARD_CAPTIONS = 5
"""Captions per image of the standard protocol."""


class GalleryImages(ReplacingDataset[GallerySample]):
    """Every image of a reader once, in order, without augmentation.

    Args:
        reader: the images.
        transform: picture to pixels.
    """

    def __init__(self, reader: CaptionReader, *, transform: PixelTransform) -> None:
        super().__init__(reader.name, seed=0, training=False)
        self.reader = reader
        self.transform = transform

    def __len__(self) -> int:
        return len(self.reader)

    def location(self, index: int) -> str:
        return self.reader.location(index)

    def read(self, index: int, key: SampleKey, rng: np.random.Generator, broken: tuple[str, ...]) -> GallerySample:
        return GallerySample(self.transform(self.reader.load_image(index), rng), key, broken)


@dataclass(frozen=True)
class GalleryTexts:
    """All captions of a split as published, repetitions among them, image by image in the reader's order."""

    name: str
    """Of the split, for messages."""
    captions: tuple[str, ...]
    """T."""
    token_ids: Tensor
    """int64 T L, `<s> ... </s>` and padding."""
    mask: Tensor
    """bool T L, True = real token."""
    image: Tensor
    """int64 T, the image that each caption belongs to."""
    number: Tensor
    """int64 T, place of a caption among its image's, from 0."""
    distinct: Tensor
    """int64, captions that none before them of their image equals: those that the original ranks."""
    image_ids: tuple[str, ...]
    """I, the data set's own."""

    @classmethod
    def read(cls, reader: CaptionReader, tokenizer: TextTokenizer, *, max_text_length: int) -> Self:
        """Tokenise the captions of a reader.

        Raises:
            UserError: the reader is empty.
        """
        if len(reader) == 0:
            raise UserError(f"{reader.name}: the split holds no image with a caption.")
        grouped = [reader.references(index) for index in range(len(reader))]
        captions = tuple(caption for group in grouped for caption in group)
        first = [group.index(caption) == number for group in grouped for number, caption in enumerate(group)]
        encoded = tokenizer.encode(captions, max_text_length)
        return cls(
            name=reader.name,
            captions=captions,
            token_ids=encoded.ids,
            mask=encoded.mask,
            image=torch.tensor([index for index, group in enumerate(grouped) for _ in group]),
            number=torch.tensor([number for group in grouped for number in range(len(group))]),
            distinct=torch.tensor(first).nonzero().squeeze(1),
            image_ids=tuple(reader.image_id(index) for index in range(len(reader))),
        )

    @property
    def text_ids(self) -> list[str]:
        """An identifier for every caption: `<image id>#<number>`, as in Flickr30k's own files."""
        pairs = zip(self.image.tolist(), self.number.tolist(), strict=True)
        return [f"{self.image_ids[image]}#{number}" for image, number in pairs]

    @property
    def standard(self) -> Tensor:
        """The first five captions of every image as published, int64."""
        return (self.number < STANDARD_CAPTIONS).nonzero().squeeze(1)
