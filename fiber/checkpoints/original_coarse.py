"""State dict of the original coarse stage <-> ours.

One of our tensors is one or several of the original's, concatenated along the first axis (query, key and value of the
text layers). The map is a list, so that both directions, gradients and optimiser groups follow the same lines.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from fiber.checkpoints.state import State
from fiber.models.captioning_model import narrow_widths
from fiber.models.config import FusionConfig
from fiber.utils.errors import UserError

IMAGE_PREFIX = "vit_model"
TEXT_PREFIX = "text_transformer"


class TensorName(NamedTuple):
    """One tensor of ours and the original's parts it is made of, in order."""

    ours: str
    originals: tuple[str, ...]


def affine(ours: str, *originals: str) -> Iterator[TensorName]:
    """Weight and bias of a linear layer or norm."""
    for kind in ("weight", "bias"):
        yield TensorName(f"{ours}.{kind}", tuple(f"{original}.{kind}" for original in originals))


def image_names(config: FusionConfig) -> Iterator[TensorName]:
    """Tensors of the Swin backbone."""
    yield from affine("backbone.image.norm", f"{IMAGE_PREFIX}.norm")
    yield from image_layer_names(config)


def image_layer_names(config: FusionConfig, theirs: str = IMAGE_PREFIX) -> Iterator[TensorName]:
    """Tensors of the Swin backbone but its final norm; `theirs` is the original's prefix."""
    ours = "backbone.image"
    yield from affine(f"{ours}.patch_embedding.projection", f"{theirs}.patch_embed.proj")
    yield from affine(f"{ours}.patch_embedding.norm", f"{theirs}.patch_embed.norm")
    stages = config.image.block_stages
    for index, stage in enumerate(stages):
        block = f"{theirs}.layers.{stage}.blocks.{index - stages.index(stage)}"
        fused = index >= config.first_fused_block
        yield from image_block_names(f"{ours}.blocks.{index}", block, fused=fused, query_norm=config.query_norm)
    for stage in range(len(config.image.depths) - 1):
        merge = f"{theirs}.layers.{stage}.downsample"
        yield from affine(f"{ours}.merges.{stage}.norm", f"{merge}.norm")
        yield TensorName(f"{ours}.merges.{stage}.reduction.weight", (f"{merge}.reduction.weight",))


def image_block_names(ours: str, theirs: str, *, fused: bool, query_norm: bool) -> Iterator[TensorName]:
    """Tensors of one Swin block."""
    yield from affine(f"{ours}.attention_norm", f"{theirs}.norm1")
    yield from affine(f"{ours}.mlp_norm", f"{theirs}.norm2")
    yield from affine(f"{ours}.attention.qkv", f"{theirs}.attn.qkv")
    yield from affine(f"{ours}.attention.output", f"{theirs}.attn.proj")
    bias = f"{theirs}.attn.relative_position_bias_table"
    yield TensorName(f"{ours}.attention.relative_position_bias", (bias,))
    yield from affine(f"{ours}.mlp.0", f"{theirs}.mlp.fc1")
    yield from affine(f"{ours}.mlp.2", f"{theirs}.mlp.fc2")
    if fused:
        cross = f"{ours}.cross_attention"
        yield TensorName(f"{cross}.gate", (f"{theirs}.attn.alpha_i2t",))
        if query_norm:
            yield from affine(f"{cross}.query_norm", f"{theirs}.attn.norm_i2t_i")
        yield from affine(f"{cross}.query", f"{theirs}.attn.qkv_i2t")
        yield from affine(f"{cross}.key_value", f"{theirs}.attn.qkv_text_i2t")
        yield from affine(f"{cross}.output", f"{theirs}.attn.proj_i2t")


def text_names(config: FusionConfig, theirs: str = TEXT_PREFIX) -> Iterator[TensorName]:
    """Tensors of the RoBERTa backbone; `theirs` is the original's prefix."""
    ours = "backbone.text"
    for kind in ("word", "position", "token_type"):
        name = f"{theirs}.embeddings.{kind}_embeddings.weight"
        yield TensorName(f"{ours}.embedding.{kind}.weight", (name,))
    yield from affine(f"{ours}.embedding.norm", f"{theirs}.embeddings.LayerNorm")
    for index in range(config.text.num_layers):
        layer = f"{theirs}.encoder.layer.{index}"
        yield from text_layer_names(f"{ours}.layers.{index}", layer, fused=index >= config.first_fused_layer)


def text_layer_names(ours: str, theirs: str, *, fused: bool) -> Iterator[TensorName]:
    """Tensors of one RoBERTa layer."""
    attention = f"{theirs}.attention"
    parts = tuple(f"{attention}.self.{part}" for part in ("query", "key", "value"))
    yield from affine(f"{ours}.attention.qkv", *parts)
    yield from affine(f"{ours}.attention.output", f"{attention}.output.dense")
    yield from affine(f"{ours}.attention_norm", f"{attention}.output.LayerNorm")
    yield from affine(f"{ours}.mlp.0", f"{theirs}.intermediate.dense")
    yield from affine(f"{ours}.mlp.2", f"{theirs}.output.dense")
    yield from affine(f"{ours}.output_norm", f"{theirs}.output.LayerNorm")
    if fused:
        cross = f"{theirs}.crossattention_t2i"
        yield TensorName(f"{ours}.cross_attention.gate", (f"{theirs}.alpha_t2i",))
        yield from affine(f"{ours}.cross_attention.query", f"{cross}.self.query")
        yield from affine(f"{ours}.cross_attention.key_value", f"{cross}.self.key", f"{cross}.self.value")
        yield from affine(f"{ours}.cross_attention.output", f"{cross}.output.dense")


def projection_names(ours: str, suffix: str = "") -> Iterator[TensorName]:
    """Projections and poolers of both sides."""
    for side in ("text", "image"):
        yield from affine(f"{ours}.{side}_projection", f"cross_modal_{side}_transform{suffix}")
        yield from affine(f"{ours}.{side}_pooler.dense", f"cross_modal_{side}_pooler{suffix}.dense")


def retrieval_head_names() -> Iterator[TensorName]:
    """Tensors of the heads that embed and match."""
    yield from projection_names("cross_modal_head")
    yield from projection_names("contrastive_head", "_itc")
    yield from affine("matching_head.classifier", "itm_score.fc")
    yield TensorName("temperature", ("temp",))


def language_modeling_names() -> Iterator[TensorName]:
    """Tensors of the head that names tokens."""
    head = "masked_language_modeling_head"
    yield from affine(f"{head}.dense", "mlm_score.transform.dense")
    yield from affine(f"{head}.norm", "mlm_score.transform.LayerNorm")
    yield TensorName(f"{head}.decoder.weight", ("mlm_score.decoder.weight",))
    yield TensorName(f"{head}.decoder.bias", ("mlm_score.bias",))


def classifier_names(theirs: str) -> Iterator[TensorName]:
    """Tensors of the cross-modal head and of the classifier that the original calls `theirs`."""
    yield from projection_names("cross_modal_head")
    for layer in (0, 1, 3):
        yield from affine(f"classifier.layers.{layer}", f"{theirs}.{layer}")


def backbone_names(config: FusionConfig) -> tuple[TensorName, ...]:
    """Every tensor of the fused backbone."""
    return (*image_names(config), *text_names(config))


def pretraining_names(config: FusionConfig) -> tuple[TensorName, ...]:
    """Every tensor of `FiberForPretraining`. What the original keeps besides is dead weight, buffers or queues."""
    return (*backbone_names(config), *retrieval_head_names(), *language_modeling_names())


def retrieval_names(config: FusionConfig) -> tuple[TensorName, ...]:
    """Every tensor of `FiberForRetrieval`."""
    return (*backbone_names(config), *retrieval_head_names())


def question_answering_names(config: FusionConfig) -> tuple[TensorName, ...]:
    """Every tensor of `FiberForQuestionAnswering`."""
    return (*backbone_names(config), *classifier_names("vqa_classifier"))


def visual_reasoning_names(config: FusionConfig) -> tuple[TensorName, ...]:
    """Every tensor of `FiberForVisualReasoning`."""
    return (*backbone_names(config), *classifier_names("nlvr2_classifier"))


def adapter_names(config: FusionConfig) -> Iterator[TensorName]:
    """Tensors of the image's way into the caption decoder; the original numbers them by text layer."""
    for index in range(len(narrow_widths(config))):
        text_layer = config.first_fused_layer + index
        yield from affine(f"image_adapters.layers.{index}", f"cross_modal_att_layers.{text_layer}")


def captioning_names(config: FusionConfig) -> tuple[TensorName, ...]:
    """Every tensor of `FiberForCaptioning`."""
    heads = (*projection_names("cross_modal_head"), *language_modeling_names())
    return (*backbone_names(config), *adapter_names(config), *heads)


def from_original(state: State, names: tuple[TensorName, ...], *, where: str = "the original") -> dict[str, Tensor]:
    """Our state dict from the original's.

    Args:
        state: the original's.
        names: of what is wanted.
        where: option and file that it is from, for messages.

    Raises:
        KeyError: a tensor of `names` is missing in `state`.
        UserError: parts of one tensor differ in size.
    """
    return {name.ours: join([state[original] for original in name.originals], name, where) for name in names}


def join(parts: list[Tensor], name: TensorName, where: str) -> Tensor:
    """One tensor of ours from its parts."""
    if len(parts) == 1:
        return parts[0]
    shapes = [tuple(part.shape) for part in parts]
    if len(set(shapes)) > 1 or parts[0].ndim == 0:
        raise UserError(
            f"{where} is of mixed sizes: {', '.join(name.originals)} are {', '.join(map(str, shapes))}, which make no "
            "one tensor: another architecture?"
        )
    return torch.cat(parts)


def to_original(state: State, names: tuple[TensorName, ...]) -> dict[str, Tensor]:
    """The original's state dict (or gradients under its names) from ours; tensors absent from `state` are left out."""
    return {
        original: part
        for name in names
        if name.ours in state
        for original, part in zip(
            name.originals,
            state[name.ours].chunk(len(name.originals)) if len(name.originals) > 1 else (state[name.ours],),
            strict=True,
        )
    }
