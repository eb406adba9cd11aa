"""How many times the backbone runs in a pre-training step.

Axes: B pairs, K candidates for negatives, L text tokens.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.pair_model import PairEmbeddings
from fiber.models.pretraining_model import FiberForPretraining
from fiber.models.trunks import FusedFeatures, ImageTrunk, TextTrunk
from fiber.objectives.candidates import Candidates
from fiber.objectives.hard_negatives import Negatives
from fiber.objectives.pairs import RawPairs


class PretrainingInputs(NamedTuple):
    """A batch on the device."""

    pairs: RawPairs
    masked_ids: Tensor
    """int64 B L."""
    masked_labels: Tensor
    """int64 B L, -100 where no token was selected."""
    sample_key: Tensor
    """int64 B 2, sample and draw."""


class FusedTerms(NamedTuple):
    """Fused features of the masked pairs (B) and of the pairs to match (3B: positives, negative texts, images)."""

    masked: FusedFeatures
    matching: FusedFeatures


class ForwardPass(Protocol):
    """The two moments at which a step needs the backbone: before the negatives are drawn, and after."""

    def embed(self) -> PairEmbeddings:
        """Dual-encoder embeddings of the batch."""

    def fuse(self, candidates: Candidates, negatives: Negatives) -> FusedTerms:
        """Everything that needs both modalities."""


def rows(fused: FusedFeatures, start: int, stop: int) -> FusedFeatures:
    """Some pairs of fused features."""
    return FusedFeatures(fused.image[start:stop], fused.text[start:stop], fused.text_mask[start:stop], ())


class EncodedPairs(NamedTuple):
    """Trunks of B images and B texts."""

    image: ImageTrunk
    text: TextTrunk


def encode_negatives(
    backbone: FusionBackbone,
    own: EncodedPairs,
    candidates: Candidates,
    negatives: Negatives,
    normalize: Callable[[Tensor], Tensor],
) -> EncodedPairs:
    """Trunks of the negative images and texts; `own` are those of this process's pairs."""
    if len(candidates) == len(own.image):  # they are this batch itself: its trunks are at hand
        return EncodedPairs(own.image[negatives.image_index], own.text[negatives.text_index])
    pixels = normalize(candidates.select_images(negatives.image_index))
    texts = candidates.select_texts(negatives.text_index)
    return EncodedPairs(backbone.encode_image(pixels), backbone.encode_text(*texts))


class SharedTrunkPass:
    """Each image and each text is encoded once, and all 4B pairs are fused in one pass."""

    def __init__(
        self, model: FiberForPretraining, inputs: PretrainingInputs, normalize: Callable[[Tensor], Tensor]
    ) -> None:
        self.model, self.normalize = model, normalize
        pairs = inputs.pairs
        self.num_pairs = len(pairs)
        self.image = model.backbone.encode_image(normalize(pairs.image))
        texts = model.backbone.encode_text(
            torch.cat([inputs.masked_ids, pairs.text_ids]), torch.cat([pairs.text_mask, pairs.text_mask])
        )
        self.masked, self.text = texts[: self.num_pairs], texts[self.num_pairs :]

    def embed(self) -> PairEmbeddings:
        return PairEmbeddings(self.model.embed_image(self.image), self.model.embed_text(self.text))

    def fuse(self, candidates: Candidates, negatives: Negatives) -> FusedTerms:
        own = EncodedPairs(self.image, self.text)
        negative = encode_negatives(self.model.backbone, own, candidates, negatives, self.normalize)
        fused = self.model.backbone.fuse(
            ImageTrunk.concatenate([self.image, self.image, self.image, negative.image]),
            TextTrunk.concatenate([self.masked, self.text, negative.text, self.text]),
        )
        return FusedTerms(rows(fused, 0, self.num_pairs), rows(fused, self.num_pairs, 4 * self.num_pairs))


class SeparatePass:
    """The original's passes: every objective encodes its inputs from the pixels again."""

    def __init__(
        self, model: FiberForPretraining, inputs: PretrainingInputs, normalize: Callable[[Tensor], Tensor]
    ) -> None:
        self.model, self.inputs, self.normalize = model, inputs, normalize

    def embed(self) -> PairEmbeddings:
        backbone, pairs = self.model.backbone, self.inputs.pairs
        return PairEmbeddings(
            self.model.embed_image(backbone.encode_image(self.normalize(pairs.image))),
            self.model.embed_text(backbone.encode_text(pairs.text_ids, pairs.text_mask)),
        )

    def fuse(self, candidates: Candidates, negatives: Negatives) -> FusedTerms:
        pairs = self.inputs.pairs
        negative_ids, negative_mask = candidates.select_texts(negatives.text_index)
        image = torch.cat([pairs.image, pairs.image, candidates.select_images(negatives.image_index)])
        ids = torch.cat([pairs.text_ids, negative_ids, pairs.text_ids])
        mask = torch.cat([pairs.text_mask, negative_mask, pairs.text_mask])
        return FusedTerms(
            masked=self.fuse_raw(RawPairs(pairs.image, self.inputs.masked_ids, pairs.text_mask)),
            matching=self.fuse_raw(RawPairs(image, ids, mask)),
        )

    def fuse_raw(self, pairs: RawPairs) -> FusedFeatures:
        backbone = self.model.backbone
        image = backbone.encode_image(self.normalize(pairs.image))
        return backbone.fuse(image, backbone.encode_text(pairs.text_ids, pairs.text_mask))
