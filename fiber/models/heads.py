"""Heads on the fused backbone.

Axes: B batch, N image tokens of width C, L text tokens of width D, P projection width, V vocabulary.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fiber.models.config import FusionConfig
from fiber.models.trunks import FusedFeatures


class Pooler(nn.Module):
    """Linear layer and tanh, on one vector per sample."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """B P -> B P in (-1, 1)."""
        return torch.tanh(self.dense(x))


class PairFeatures(NamedTuple):
    """Fused pairs in the common width."""

    text: Tensor
    """B L P."""
    image: Tensor
    """B N P."""
    pooled: Tensor
    """B 2P, text first."""


class PairProjection(nn.Module):
    """A projection to the common width and a pooler for either side."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        width = config.projection_size
        self.text_projection = nn.Linear(config.text.hidden_size, width)
        self.image_projection = nn.Linear(config.image.output_width, width)
        self.text_pooler = Pooler(width)
        self.image_pooler = Pooler(width)


class CrossModalHead(PairProjection):
    """Projects both sides of fused pairs and pools them into one vector."""

    def project_text(self, text: Tensor) -> Tensor:
        """The text alone, B L D -> B L P."""
        projected: Tensor = self.text_projection(text)
        return projected

    def forward(self, fused: FusedFeatures) -> PairFeatures:
        text = self.text_projection(fused.text)  # B L P
        image = self.image_projection(fused.image.flatten(1, 2))  # B N P
        pooled = torch.cat([self.text_pooler(text[:, 0]), self.image_pooler(image.mean(dim=1))], dim=-1)
        return PairFeatures(text, image, pooled)


class ContrastiveHead(PairProjection):
    """Unit embeddings of the dual encoder."""

    def embed_image(self, tokens: Tensor) -> Tensor:
        """Mean of projected tokens, pooled: B H W C -> B P of length 1."""
        return unit(self.image_pooler(self.image_projection(tokens).mean(dim=(1, 2))))

    def embed_text(self, tokens: Tensor) -> Tensor:
        """First token projected and pooled: B L D -> B P of length 1."""
        return unit(self.text_pooler(self.text_projection(tokens[:, 0])))


def unit(x: Tensor) -> Tensor:
    """Scale vectors to length 1; half precision is left for float32, in which one is one."""
    return F.normalize(full_precision(x), dim=-1)


def full_precision(x: Tensor) -> Tensor:
    """Half precision as float32; anything else as it is."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


class MaskedLanguageModelingHead(nn.Module):
    """Token logits: dense, GELU, LayerNorm, decoder with a weight of its own (not tied to the word embedding)."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        width = config.projection_size
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.decoder = nn.Linear(width, config.text.vocab_size)

    def forward(self, text: Tensor) -> Tensor:
        """B L P -> B L V."""
        logits: Tensor = self.decoder(self.norm(F.gelu(self.dense(text))))
        return logits


class MatchingHead(nn.Module):
    """Two logits per pair; class 1 = the text belongs to the image."""

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.classifier = nn.Linear(2 * config.projection_size, 2)

    def forward(self, pooled: Tensor) -> Tensor:
        """B 2P -> B 2."""
        logits: Tensor = self.classifier(pooled)
        return logits


class ClassificationHead(nn.Module):
    """Linear layer, LayerNorm, GELU and linear classifier on pooled pairs (VQAv2 and NLVR2)."""

    def __init__(self, in_width: int, *, hidden: int, num_classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(in_width, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, num_classes)
        )

    @property
    def output(self) -> nn.Linear:
        """The last layer."""
        output = self.layers[-1]
        assert isinstance(output, nn.Linear)
        return output

    def forward(self, pooled: Tensor) -> Tensor:
        """B in_width -> B num_classes; whatever the autocast, logits are no coarser than float32."""
        hidden = self.layers[:-1](pooled)
        with torch.autocast(pooled.device.type, enabled=False):
            logits: Tensor = self.output(full_precision(hidden))
        return logits
