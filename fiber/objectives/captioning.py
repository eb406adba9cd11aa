"""What all caption objectives share, and likelihood with teacher forcing.

Axes: B captions, L tokens, V vocabulary, S image side in pixels. Position i predicts token i + 1.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor

from fiber.models.captioning_model import FiberForCaptioning
from fiber.objectives.masked_language_modeling import IGNORED, token_loss


class CaptionInputs(NamedTuple):
    """A batch of captioned images."""

    pixels: Tensor
    """B 3 S S, normalised."""
    token_ids: Tensor
    """int64 B L, `<s> ... </s>` and padding."""
    mask: Tensor
    """bool B L, True = real token."""
    references: Sequence[Sequence[str]]
    """All captions of each image."""
    keys: Tensor
    """int64 B, a number for each row by which random choices are made, unlike that of any other row of the run."""


class CaptionObjective(ABC):
    """Losses of a batch, and what has to be kept between steps."""

    @abstractmethod
    def losses(self, model: FiberForCaptioning, inputs: CaptionInputs, *, step: int) -> dict[str, Tensor]:
        """Scalars by name; training minimises their sum.

        Args:
            model: in training mode.
            inputs: the same number of rows on every process.
            step: optimiser steps taken so far.
        """

    def state(self) -> dict[str, Any] | None:
        """What a resumed run needs; None if nothing."""
        return None

    def restore(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Go on from what `state` returned; an objective that keeps nothing has no use for another's."""


class LikelihoodObjective(CaptionObjective):
    """Cross-entropy of the true captions."""

    def losses(self, model: FiberForCaptioning, inputs: CaptionInputs, *, step: int) -> dict[str, Tensor]:
        logits = teacher_forced_logits(model, inputs)
        return {"likelihood": token_loss(logits, caption_labels(inputs.token_ids, model.config.text.pad_id))}


def teacher_forced_logits(model: FiberForCaptioning, inputs: CaptionInputs) -> Tensor:
    """Logits of the token after each true one, B L V."""
    return model.token_logits(inputs.token_ids, model.read_image(inputs.pixels), mask=inputs.mask)


def caption_labels(token_ids: Tensor, pad_id: int) -> Tensor:
    """The token after each one, -100 where there is none: int64 B L -> B L."""
    labels = F.pad(token_ids[:, 1:], (0, 1), value=pad_id)
    return labels.masked_fill(labels == pad_id, IGNORED)


def label_log_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    """Log-probability of every label, 0 where it is ignored: B L V, int64 B L -> B L."""
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none")
    return -loss.view_as(labels)
