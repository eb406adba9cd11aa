"""Image-text contrastive loss (paper section 3.2, ITC).

Axes: B rows of this process, K keys (current pairs of all processes, then the queue), P embedding width.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.001, 1.0


class Similarities(NamedTuple):
    """Cosine similarities over the temperature; invalid keys are at -inf."""

    image_to_text: Tensor
    """B K."""
    text_to_image: Tensor
    """B K."""


@torch.no_grad()
def clamp_temperature(temperature: Tensor) -> None:
    """Keep a learned temperature in [0.001, 1], in place."""
    temperature.clamp_(MIN_TEMPERATURE, MAX_TEMPERATURE)


def similarities(
    image: Tensor, text: Tensor, *, image_keys: Tensor, text_keys: Tensor, valid: Tensor, temperature: Tensor
) -> Similarities:
    """Similarities of the rows of this process with all keys, in float32 or better whatever the autocast.

    Args:
        image: B P, unit length.
        text: B P, unit length.
        image_keys: K P, detached.
        text_keys: K P, detached.
        valid: bool K, False for queue slots never filled.
        temperature: scalar.
    """
    with torch.autocast(image.device.type, enabled=False):
        image_to_text = image @ text_keys.T / temperature
        text_to_image = text @ image_keys.T / temperature
    return Similarities(image_to_text.masked_fill(~valid, -torch.inf), text_to_image.masked_fill(~valid, -torch.inf))


def contrastive_loss(similarity: Similarities, positive: Tensor) -> Tensor:
    """Mean of both directions' cross-entropy; `positive` is int64 B, the key of each row's own pair."""
    image_to_text = F.cross_entropy(similarity.image_to_text, positive)
    text_to_image = F.cross_entropy(similarity.text_to_image, positive)
    return (image_to_text + text_to_image) / 2
