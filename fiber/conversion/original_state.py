"""Everything that the original's state dict holds for a model of ours: weights, buffers, weights without use."""

from collections.abc import Iterator

import torch
from torch import Tensor

from fiber.checkpoints import original_fine
from fiber.checkpoints.model_description import CoarseDescription, DetectorDescription, ModelDescription, ModelKind
from fiber.checkpoints.model_kinds import original_names
from fiber.checkpoints.original_coarse import TensorName, projection_names, to_original
from fiber.checkpoints.state import State
from fiber.conversion.original_sizes import COARSE, FINE
from fiber.models.config import FusionConfig
from fiber.models.detector_config import DetectorConfig
from fiber.models.window_attention import relative_position_index, shift_mask

NUM_ADAPTERS = 10
"""Layers of `cross_modal_att_layers`, one for every text layer up to the last but two; few are used."""
NUM_CLASSES = 80
"""Of `cls_logits`."""
INITIAL_STD = 0.02


def original_state(weights: State, description: ModelDescription) -> dict[str, Tensor]:
    """State dict under the original's names, which the original loads strictly.

    What a model of ours lacks gets the value that the original starts from.

    Args:
        weights: of the model, by its own names.
        description: of the model.

    Returns:
        All tensors but the queues, which the original itself drops.
    """
    state = to_original(weights, tuple(original_names(description)))
    if isinstance(description, DetectorDescription):
        companions = detector_companions(description.detector)
    else:
        companions = coarse_companions(state, description)
    return {name: value.detach().clone() for name, value in (*state.items(), *companions)}


def coarse_companions(state: State, description: CoarseDescription) -> Iterator[tuple[str, Tensor]]:
    """What the original keeps beside the tensors of `state`."""
    config = description.backbone
    yield from index_buffers(config, COARSE.image)
    yield from mask_buffers(config, COARSE.image, image_size=description.image_size)
    yield position_ids(config, COARSE.text)
    yield from unused_text_weights(config)
    generator = torch.Generator().manual_seed(0)
    for name, shape in projection_shapes(config).items():
        if name not in state:
            is_weight = name.endswith("weight")
            yield name, torch.randn(shape, generator=generator) * INITIAL_STD if is_weight else torch.zeros(shape)
    if description.kind in (ModelKind.PRETRAINING, ModelKind.RETRIEVAL):
        yield "rank_output.weight", state["itm_score.fc.weight"][1:]
        yield "rank_output.bias", state["itm_score.fc.bias"][1:]
    if description.kind is ModelKind.CAPTIONING:
        adapter = next(value for name, value in state.items() if name.startswith("cross_modal_att_layers"))
        for index in range(NUM_ADAPTERS):
            if f"cross_modal_att_layers.{index}.weight" not in state:
                yield f"cross_modal_att_layers.{index}.weight", torch.zeros(len(adapter), config.image.output_width)
                yield f"cross_modal_att_layers.{index}.bias", torch.zeros(len(adapter))


def detector_companions(config: DetectorConfig) -> Iterator[tuple[str, Tensor]]:
    """What the original keeps beside a detector's weights."""
    yield from index_buffers(config.backbone, FINE.image)
    yield position_ids(config.backbone, FINE.text)
    for level, stride in enumerate(config.strides):
        middle, half = (stride - 1) / 2, (config.anchor_scale * stride - 1) / 2
        corners = [middle - half, middle - half, middle + half, middle + half]
        yield f"{original_fine.ANCHOR_PREFIX}.{level}", torch.tensor([corners])
    yield f"{original_fine.HEAD_PREFIX}.cls_logits.weight", torch.zeros(NUM_CLASSES, config.channels, 1, 1)
    yield f"{original_fine.HEAD_PREFIX}.cls_logits.bias", torch.zeros(NUM_CLASSES)


def block_prefixes(config: FusionConfig, prefix: str) -> Iterator[tuple[int, int, str]]:
    """Stage, number in it, and name of every Swin block."""
    for stage, depth in enumerate(config.image.depths):
        for block in range(depth):
            yield stage, block, f"{prefix}.layers.{stage}.blocks.{block}"


def index_buffers(config: FusionConfig, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """Rows of the position bias for the tokens of a window."""
    window = config.image.window_size
    for _, _, block in block_prefixes(config, prefix):
        yield f"{block}.attn.relative_position_index", relative_position_index(window, window, 2 * window - 1)


def mask_buffers(config: FusionConfig, prefix: str, *, image_size: int) -> Iterator[tuple[str, Tensor]]:
    """Masks of shifted windows, where the map is larger than one."""
    window = config.image.window_size
    for stage, index, block in block_prefixes(config, prefix):
        side = image_size // (config.image.patch_size * 2**stage)
        if index % 2 and side > window:
            shift = window // 2
            yield f"{block}.attn_mask", shift_mask((side, side), (window, window), (shift, shift), torch.device("cpu"))


def position_ids(config: FusionConfig, prefix: str) -> tuple[str, Tensor]:
    """Numbers of the text's places."""
    return f"{prefix}.embeddings.position_ids", torch.arange(config.text.max_positions)[None]


def unused_text_weights(config: FusionConfig) -> Iterator[tuple[str, Tensor]]:
    """Of the coarse text half: its pooler, gates of layers without fusion, norms that are not applied."""
    width, prefix = config.text.hidden_size, COARSE.text
    yield f"{prefix}.pooler.dense.weight", torch.zeros(width, width)
    yield f"{prefix}.pooler.dense.bias", torch.zeros(width)
    for index in range(config.text.num_layers):
        layer = f"{prefix}.encoder.layer.{index}"
        if index < config.first_fused_layer:
            yield f"{layer}.alpha_t2i", torch.zeros(1)
        else:
            yield f"{layer}.crossattention_t2i.output.LayerNorm.weight", torch.ones(width)
            yield f"{layer}.crossattention_t2i.output.LayerNorm.bias", torch.zeros(width)


def projection_shapes(config: FusionConfig) -> dict[str, tuple[int, ...]]:
    """Projections and poolers of both heads, which the original's models of every task have."""
    inputs = {"text_transform": config.text.hidden_size, "image_transform": config.image.output_width}
    out = config.projection_size
    names: list[TensorName] = [*projection_names(""), *projection_names("", "_itc")]
    return {
        name: (out,)
        if name.endswith("bias")
        else (out, next((width for part, width in inputs.items() if part in name), out))
        for entry in names
        for name in entry.originals
    }
