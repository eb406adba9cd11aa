"""Sizes of a model from its tensors under the original's names."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from fiber.checkpoints import original_coarse, original_fine
from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig
from fiber.models.detector_config import DetectorConfig
from fiber.utils.errors import UserError

HEAD_WIDTH = 64
"""Of RoBERTa's attention, in every published size."""
LEAST_HIDDEN_SIZE = 256
"""Width of the text from which its heads are taken to have `HEAD_WIDTH`; narrower models are nobody's release."""


class Prefixes(NamedTuple):
    """Beginnings of the two halves' names."""

    image: str
    text: str


COARSE = Prefixes(original_coarse.IMAGE_PREFIX, original_coarse.TEXT_PREFIX)
FINE = Prefixes(original_fine.IMAGE_PREFIX, original_fine.TEXT_PREFIX)


class NamedTensors(NamedTuple):
    """Tensors, and where they are from."""

    state: Mapping[str, Tensor]
    where: str
    """Option and file, for messages."""

    def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        """Shape of one.

        Raises:
            UserError: it is missing, empty, or has another number of axes.
        """
        if name not in self.state:
            raise UserError(f"{self.where} lacks {name}: is it a checkpoint of another architecture, or a part of one?")
        shape = tuple(self.state[name].shape)
        if len(shape) != dimensions:
            raise UserError(f"{self.where}: {name} has shape {shape}, not {dimensions} axes: another architecture?")
        if 0 in shape:
            raise UserError(f"{self.where}: {name} has shape {shape}, which holds nothing: give a whole checkpoint.")
        return shape

    def has(self, *beginnings: str) -> bool:
        """Whether any name begins so."""
        return any(name.startswith(beginnings) for name in self.state)

    def count(self, pattern: str) -> int:
        """Different numbers in the place of the group of `pattern` in names."""
        return len({match.group(1) for name in self.state if (match := re.match(pattern, name))})


def swin_sizes(tensors: NamedTensors, prefix: str) -> SwinConfig:
    """Of the image half; stochastic depth is not in tensors and stays the default."""
    layers = re.escape(f"{prefix}.layers.")
    num_stages = tensors.count(rf"{layers}(\d+)\.blocks\.")
    depths = tuple(tensors.count(rf"{layers}{stage}\.blocks\.(\d+)\.") for stage in range(num_stages))
    width, _, patch, _ = tensors.shape(f"{prefix}.patch_embed.proj.weight", 4)
    tables = [
        tensors.shape(f"{prefix}.layers.{stage}.blocks.0.attn.relative_position_bias_table", 2)
        for stage in range(num_stages)
    ]
    if not tables:
        raise UserError(f"{tensors.where} has no blocks {prefix}.layers.*: is it a checkpoint of another architecture?")
    side = math.isqrt(tables[0][0])
    if side**2 != tables[0][0] or side % 2 == 0:
        raise UserError(
            f"{tensors.where}: a position bias of {tables[0][0]} rows fits no square window: another architecture?"
        )
    hidden = tensors.shape(f"{prefix}.layers.0.blocks.0.mlp.fc1.weight", 2)[0]
    return SwinConfig(
        embed_dim=width,
        depths=depths,
        num_heads=tuple(heads for _, heads in tables),
        window_size=(side + 1) // 2,
        patch_size=patch,
        mlp_ratio=hidden / width,
    )


def roberta_sizes(tensors: NamedTensors, prefix: str, *, num_heads: int | None) -> RobertaConfig:
    """Of the text half; dropout is not in tensors and stays the default.

    Args:
        tensors: under the original's names.
        prefix: of the half.
        num_heads: of its attention, which is not in tensors; None takes heads of `HEAD_WIDTH`.

    Raises:
        UserError: the heads cannot be told, or a tensor is missing.
    """
    vocab_size, hidden = tensors.shape(f"{prefix}.embeddings.word_embeddings.weight", 2)
    if num_heads is None:
        if hidden < LEAST_HIDDEN_SIZE or hidden % HEAD_WIDTH:
            raise UserError(
                f"{tensors.where}: the number of attention heads of a text side of width {hidden} is not in its "
                "tensors: give text_heads=N."
            )
        num_heads = hidden // HEAD_WIDTH
    return RobertaConfig(
        hidden_size=hidden,
        num_layers=tensors.count(rf"{re.escape(prefix)}\.encoder\.layer\.(\d+)\.attention\."),
        num_heads=num_heads,
        intermediate_size=tensors.shape(f"{prefix}.encoder.layer.0.intermediate.dense.weight", 2)[0],
        vocab_size=vocab_size,
        max_positions=tensors.shape(f"{prefix}.embeddings.position_embeddings.weight", 2)[0],
    )


def fusion_sizes(tensors: NamedTensors, prefixes: Prefixes, *, text_heads: int | None) -> FusionConfig:
    """Of the fused backbone; the width of the projections is that of the text.

    Raises:
        UserError: a tensor is missing, or the two halves are fused in different numbers of layers.
    """
    image, text = (re.escape(prefix) for prefix in prefixes)
    blocks = tensors.count(rf"{image}\.layers\.(\d+\.blocks\.\d+)\.attn\.alpha_i2t$")
    layers = tensors.count(rf"{text}\.encoder\.layer\.(\d+)\.crossattention_t2i\.self\.query\.weight$")
    if blocks == 0:
        raise UserError(
            f"{tensors.where} has no cross-attention from image to text (alpha_i2t): is it of the original's first "
            "fusion version, or of another architecture?"
        )
    if blocks != layers:
        raise UserError(
            f"{tensors.where} fuses {blocks} image blocks and {layers} text layers, which must be as many: is it cut?"
        )
    text_sizes = roberta_sizes(tensors, prefixes.text, num_heads=text_heads)
    return FusionConfig(
        image=swin_sizes(tensors, prefixes.image),
        text=text_sizes,
        num_fusion_layers=blocks,
        projection_size=text_sizes.hidden_size,
        query_norm=any("norm_i2t_i" in name for name in tensors.state),
    )


def detector_sizes(tensors: NamedTensors, backbone: FusionConfig, *, text_budget: int) -> DetectorConfig:
    """Of the detector; its normalisation groups, offsets and order of colours are the original's."""
    head = original_fine.HEAD_PREFIX
    config = DetectorConfig(
        backbone=backbone,
        channels=tensors.shape(f"{head}.bbox_pred.weight", 4)[1],
        num_blocks=tensors.count(rf"{re.escape(head)}\.dyhead_tower\.(\d+)\."),
        query_norm=backbone.query_norm,
        text_budget=text_budget,
    )
    name = f"{original_fine.ANCHOR_PREFIX}.0"
    if name not in tensors.state:
        return config
    shape, anchors = tensors.shape(name, 2), tensors.state[name]
    side = float(anchors[0, 2] - anchors[0, 0]) + 1 if shape == (1, 4) else math.nan  # the last pixel is in the box
    if not 0 < side < math.inf:
        raise UserError(f"{tensors.where}: {name} is {anchors.tolist()}, not one box: another architecture?")
    scale = torch.tensor(side / config.strides[0]).item()
    return replace(config, anchor_scale=scale)
