"""What the original's captioning computes. Axes: B pairs, L tokens."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fiber.checkpoints.original_coarse import captioning_names, from_original
from fiber.models.captioning_model import FiberForCaptioning
from fiber.objectives.captioning import caption_labels
from fiber.objectives.gold import GoldNormalization, gold_loss, gold_weights
from fiber.objectives.masked_language_modeling import token_loss

if TYPE_CHECKING:
    from .test_coarse import Fixture


@torch.no_grad()
def caption_entries(fixture: "Fixture") -> Iterator[tuple[str, Tensor]]:
    """Teacher forcing, and both losses with the original's normalisation."""
    io, names = fixture.io, captioning_names(fixture.config)
    model = FiberForCaptioning(fixture.config).double().eval()
    model.load_state_dict(from_original(fixture.state, names))
    ids = io["in/text_ids"]
    labels = caption_labels(ids, fixture.config.text.pad_id)
    image = model.read_image(io["in/image"])
    logits = model.token_logits(ids, image, mask=io["in/text_masks"].bool())
    yield "out/caption/logits", logits
    yield "out/caption/loss", token_loss(logits, labels)
    decoder = model.masked_language_modeling_head.decoder
    policy_logits = logits - decoder.bias + io["in/gold_snapshot_mlm_bias"]
    weights = gold_weights(policy_logits, labels)
    yield "out/caption/gold_loss", gold_loss(logits, labels, weights, normalization=GoldNormalization.ORIGINAL)
