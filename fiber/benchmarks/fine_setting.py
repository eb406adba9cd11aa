"""A grounded detector of random weights and what it is fed.

Axes: B images, S_h S_w pixels, L text tokens, K boxes.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fiber.models.detector_config import DetectorConfig
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.grounded_detector import GroundedDetector
from fiber.objectives.grounding import ImageTargets

GATE = 0.5
"""Of every cross-attention: shut gates would hide what fusion does to the numbers."""
SHARE_FOUND = 0.01
"""Of pairs of cell and token whose probability exceeds 0.05, so that post-processing has its usual work."""


@dataclass(frozen=True, kw_only=True)
class FineSettings:
    """What is timed. Picklable, so that a fresh process can repeat it."""

    detector: DetectorConfig
    image_height: int
    """Pixels."""
    image_width: int
    batch_size: int
    """Images of a training step."""
    text_length: int
    """Tokens of a text, special ones included."""
    boxes_per_image: int
    device: str
    autocast: bool
    """bfloat16 where it is safe."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self.image_height, self.image_width

    @property
    def image_size(self) -> str:
        """The size for people."""
        return f"{self.image_height} x {self.image_width}"


class FineBatch(NamedTuple):
    """Images with their texts."""

    pixels: Tensor
    """B 3 S_h S_w."""
    token_ids: Tensor
    """int64 B L."""
    mask: Tensor
    """bool B L."""


def build_detector(settings: FineSettings) -> GroundedDetector:
    """A detector with open gates, in training mode on the device."""
    torch.manual_seed(0)
    model = GroundedDetector(settings.detector).to(settings.device)
    for module in model.modules():
        if isinstance(module, GatedCrossAttention):
            torch.nn.init.constant_(module.gate, GATE)
    return model


@torch.no_grad()
def let_it_find(model: GroundedDetector, batch: FineBatch) -> None:
    """Shift the bias of all words so that a usual share of cells shows something."""
    logits = model(*batch).token_logits.flatten()
    rank = max(1, int(SHARE_FOUND * len(logits)))
    threshold = torch.logit(logits.new_tensor(0.05))
    model.head.prior_bias.add_(threshold - logits.topk(rank).values[-1])


def random_batch(settings: FineSettings, *, batch_size: int) -> FineBatch:
    """Noise and random words."""
    shape = (batch_size, 3, *settings.size)
    words = settings.detector.backbone.text.vocab_size - 1
    ids = torch.randint(4, words, (batch_size, settings.text_length), device=settings.device)
    return FineBatch(torch.randn(shape, device=settings.device), ids, torch.ones_like(ids, dtype=torch.bool))


def random_targets(settings: FineSettings) -> list[ImageTargets]:
    """Boxes of a tenth to half the image's sides, each named by one token."""
    sides = torch.tensor([settings.image_width, settings.image_height], device=settings.device)
    targets = []
    for _ in range(settings.batch_size):
        share = 0.1 + 0.4 * torch.rand(settings.boxes_per_image, 2, device=settings.device)
        corner = torch.rand_like(share) * (1 - share)
        boxes = torch.cat([corner * sides, (corner + share) * sides], dim=1)  # K 4
        token = torch.randint(settings.text_length, (len(boxes), 1), device=settings.device)
        positive = torch.zeros(len(boxes), settings.text_length, dtype=torch.bool, device=settings.device)
        targets.append(ImageTargets(boxes, positive.scatter(1, token, True)))
    return targets
