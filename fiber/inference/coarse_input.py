"""What a coarse model sees and reads. Axes: N pictures, S image side in pixels, B texts, L tokens."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fiber.checkpoints.model_description import CoarseDescription
from fiber.data.normalization import normalize_pixels
from fiber.data.tokenization import TextTokenizer, TokenizedText
from fiber.data.transforms import ResizeTransform
from fiber.detection.token_budget import SPECIAL_TOKENS
from fiber.models.trunks import ImageTrunk
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncodedImages:
    """Pictures below the fusion, to be asked about again and again; they count as several, even if there is one."""

    images: tuple[Image.Image, ...]
    """RGB."""
    trunk: ImageTrunk
    """Of as many images."""

    def __len__(self) -> int:
        return len(self.images)


Images = Image.Image | Sequence[Image.Image] | EncodedImages
Texts = str | list[str] | tuple[str, ...]


class CoarseInput:
    """Prepares pictures and texts as the model was judged on them.

    Args:
        description: of the model.
        tokenizer: the model's.
        device: that the model is on.
    """

    def __init__(self, description: CoarseDescription, tokenizer: TextTokenizer, device: torch.device | str) -> None:
        self.transform = ResizeTransform(description.image_size)
        self.max_text_length = description.max_text_length
        self.tokenizer = tokenizer
        self.device = torch.device(device)

    def pixels(self, images: Sequence[Image.Image]) -> Tensor:
        """Pictures of any mode and size, one at least -> float32 N 3 S S, normalised."""
        # Nothing is drawn at random.
        squares = [self.transform(image.convert("RGB"), np.random.default_rng(0)) for image in images]
        return normalize_pixels(torch.stack(squares).to(self.device))

    def texts(self, texts: Sequence[str]) -> TokenizedText:
        """Texts padded to the model's longest; one that is longer is cut, which the log says."""
        room = self.max_text_length - SPECIAL_TOKENS
        for text, encoding in zip(texts, self.tokenizer.encode_batch(texts), strict=True):
            if len(encoding.ids) > room:
                log.warning(
                    "text %r has %d tokens, of which the model reads %d: its end is cut", text, len(encoding.ids), room
                )
        ids, mask, content = self.tokenizer.encode(texts, self.max_text_length)
        return TokenizedText(ids.to(self.device), mask.to(self.device), content.to(self.device))


def list_images(images: Any, name: str = "images") -> tuple[Image.Image, ...]:
    """One picture or several as RGB.

    Args:
        images: what a caller gave.
        name: of the argument, for messages.

    Raises:
        UserError: there is none, or something else is among them.
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
    return tuple(image.convert("RGB") for image in given)


def list_texts(texts: Any, name: str) -> tuple[str, ...]:
    """One text or several as they are.

    Args:
        texts: what a caller gave.
        name: of the argument, for messages.

    Raises:
        UserError: there is none, one is blank, or something else is among them.
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
    return tuple(given)
