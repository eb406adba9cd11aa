"""Next-token logits of captions that grow token by token.

Axes: I images, n captions of each, V vocabulary.
"""

from typing import Protocol

import torch
from torch import Tensor

from fiber.models.captioning_model import FiberForCaptioning, ImageMemory
from fiber.models.decoding_cache import DecodingCache


class NextToken(Protocol):
    """What a search asks of a language model."""

    @property
    def num_images(self) -> int:
        """Images that captions are written for."""

    @property
    def device(self) -> torch.device:
        """Where tokens and logits lie."""

    def step(self, tokens: Tensor) -> Tensor:
        """Append one token to every caption, int64 I n, and return the logits of the one after it, I n V."""

    def select(self, captions: Tensor) -> None:
        """Go on with these captions of every image, which may repeat: int64 I n', each in [0, n)."""


class CaptionDecoder:
    """Captions by the model: every token is read once, and every image was before the first.

    Args:
        model: in the mode, training or evaluation, in which captions are wanted.
        image: as `model.read_image` gives it; the captions of an image share it.
    """

    def __init__(self, model: FiberForCaptioning, image: ImageMemory) -> None:
        self.model = model
        self.image = image
        self.cache = DecodingCache(model.config.text.num_layers)
        self.captions_per_image = 0

    @property
    def num_images(self) -> int:
        return self.image[0].batch_size

    @property
    def device(self) -> torch.device:
        return self.image[0].key.device

    def step(self, tokens: Tensor) -> Tensor:
        self.captions_per_image = tokens.shape[1]
        logits = self.model.token_logits(tokens.reshape(-1, 1), self.image, cache=self.cache)  # I*n 1 V
        return logits.view(*tokens.shape, -1)

    def select(self, captions: Tensor) -> None:
        first = torch.arange(self.num_images, device=self.device) * self.captions_per_image
        self.cache.select((first[:, None] + captions).flatten())
