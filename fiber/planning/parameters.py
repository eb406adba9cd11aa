"""Parameters of a model by its parts."""

from typing import NamedTuple

from torch import nn

from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.gated_cross_attention import GatedCrossAttention


class ParameterCount(NamedTuple):
    """Of a part, or of all."""

    all: int
    trained: int


def count_parameters(module: nn.Module) -> ParameterCount:
    """Of a module; a shared parameter counts once."""
    parameters = list(module.parameters())
    return ParameterCount(
        sum(one.numel() for one in parameters), sum(one.numel() for one in parameters if one.requires_grad)
    )


def parameters_by_part(model: nn.Module) -> dict[str, ParameterCount]:
    """Image and text side, cross-attention between them, and every head by its name; together all parameters."""
    parts: dict[str, list[nn.Parameter]] = {}
    crossing = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, GatedCrossAttention)
        for parameter in module.parameters()
    }
    for name, parameter in model.named_parameters():
        parts.setdefault("cross-attention" if id(parameter) in crossing else part_of(name), []).append(parameter)
    return {
        part: ParameterCount(
            sum(one.numel() for one in members), sum(one.numel() for one in members if one.requires_grad)
        )
        for part, members in parts.items()
    }


def part_of(name: str) -> str:
    """`backbone.image.blocks.0...` belongs to the image, `head.box.weight` to the head."""
    first, *rest = name.split(".")
    return rest[0] if first == "backbone" else first.replace("_", " ")


class ShardedBytes(NamedTuple):
    """Of a model whose parameters are sharded, what one device holds whole at times (`fiber/tasks/sharding.py`)."""

    largest_block: int
    """Gathered for its own passes."""
    between_blocks: int
    """Everything else: gathered from its forward pass to its backward pass."""


def gathered_bytes(model: nn.Module) -> ShardedBytes:
    """Bytes of float32 parameters."""
    backbone = model.backbone
    assert isinstance(backbone, FusionBackbone)
    blocks = [4 * count_parameters(block).all for block in (*backbone.image.blocks, *backbone.text.layers)]
    return ShardedBytes(max(blocks), 4 * count_parameters(model).all - sum(blocks))
