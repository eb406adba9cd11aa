"""What a coarse model sees and reads. Axes: N pictures, S image side in pixels, B texts, L tokens."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fiber.checkpoints.model_description import CoarseDescription
from fiber.data.normalization import normalize_pixels
from fiber.data.rgb import to_rgb
from fiber.data.tokenization import TextTokenizer, TokenizedText
from fiber.data.transforms import ResizeTransform
from fiber.detection.token_budget import SPECIAL_TOKENS
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.trunks import ImageTrunk

log = logging.getLogger(__name__)

MAX_SHOWN = 80
"""Characters of a text in the log."""


@dataclass(frozen=True)
class EncodedImages:
    """Pictures below the fusion, to be asked about again and again; they count as several, even if there is one."""

    images: tuple[Image.Image, ...]
    """RGB."""
    trunk: ImageTrunk
    """Of as many images."""
    encoder: FusionBackbone = field(repr=False, compare=False)
    """Of the model that looked at them; another one cannot read the trunk."""

    def __len__(self) -> int:
        return len(self.images)


ImageList = Sequence[Image.Image] | EncodedImages
Images = Image.Image | ImageList


class CoarseInput:
    """Prepares pictures and texts as the model was judged on them.

    Args:
        description: of the model.
        tokenizer: the model's.
        device: that the model is on.
    """

    def __init__(self, description: CoarseDescription, tokenizer: TextTokenizer, device: torch.device | str) -> None:
        self.transform = ResizeTransform(description.image_size)
        self.untrained = description.untrained
        self.max_text_length = description.max_text_length
        self.tokenizer = tokenizer
        self.device = torch.device(device)

    def pixels(self, images: Sequence[Image.Image]) -> Tensor:
        """Pictures of any mode and size, one at least -> float32 N 3 S S, normalised."""
        # Nothing is drawn at random.
        squares = [self.transform(to_rgb(image), np.random.default_rng(0)) for image in images]
        return normalize_pixels(torch.stack(squares).to(self.device))

    def texts(self, texts: Sequence[str]) -> TokenizedText:
        """Texts padded to the model's longest; those that are longer are cut, which the log says of the first."""
        room = self.max_text_length - SPECIAL_TOKENS
        lengths = [len(encoding.ids) for encoding in self.tokenizer.encode_batch(texts)]
        cut = [(text, length) for text, length in zip(texts, lengths, strict=True) if length > room]
        if cut:
            text, length = cut[0]
            more = f", and those of {len(cut) - 1} more" if len(cut) > 1 else ""
            shown = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
            log.warning(
                "text %r has %d tokens, of which the model reads %d: its end is cut%s", shown, length, room, more
            )
        ids, mask, content = self.tokenizer.encode(texts, self.max_text_length)
        return TokenizedText(ids.to(self.device), mask.to(self.device), content.to(self.device))
