"""Which parameters decay and how fast each learns (paper appendix; the original's rules).

Three kinds of parameters, each with and without weight decay: those of the two backbones, those that were never
pre-trained because they join the modalities, and those of the tasks' heads.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from torch import nn
from torch.distributed.tensor import DTensor

from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.heads import ContrastiveHead, CrossModalHead, MaskedLanguageModelingHead, MatchingHead
from fiber.models.window_attention import WindowAttention


class Kind(StrEnum):
    BACKBONE = "backbone"
    CROSS_MODAL = "cross_modal"
    HEAD = "head"


class ParameterGroup(NamedTuple):
    """Where a parameter belongs."""

    kind: Kind
    learning_rate_multiplier: float
    weight_decay: float


@dataclass(frozen=True, kw_only=True)
class GroupConfig:
    """Multipliers of the base learning rate, and the decay."""

    weight_decay: float = 0.01
    head_multiplier: float = 5.0
    cross_modal_multiplier: float = 5.0

    def multiplier(self, kind: Kind) -> float:
        of_kind = {Kind.HEAD: self.head_multiplier, Kind.CROSS_MODAL: self.cross_modal_multiplier}
        return of_kind.get(kind, 1.0)


CROSS_MODAL_MODULES = (GatedCrossAttention, CrossModalHead, ContrastiveHead)
HEAD_MODULES = (MaskedLanguageModelingHead, MatchingHead)


def parameter_groups(model: nn.Module, config: GroupConfig) -> dict[str, ParameterGroup]:
    """The group of every parameter by its name in `model`."""
    no_decay = set(undecayed(model))
    return {
        name: ParameterGroup(kind, config.multiplier(kind), 0.0 if name in no_decay else config.weight_decay)
        for name, kind in kinds(model).items()
    }


def kinds(model: nn.Module) -> dict[str, Kind]:
    """Kind of every parameter: that of the innermost module that has one."""
    found = dict.fromkeys((name for name, _ in model.named_parameters()), Kind.BACKBONE)
    for prefix, module in model.named_modules():
        kind = kind_of(module)
        if kind is not None:
            found |= dict.fromkeys((join(prefix, name) for name, _ in module.named_parameters()), kind)
    return found


def kind_of(module: nn.Module) -> Kind | None:
    """Kind that a module gives to its parameters."""
    if isinstance(module, CROSS_MODAL_MODULES):
        return Kind.CROSS_MODAL
    return Kind.HEAD if isinstance(module, HEAD_MODULES) else None


def undecayed(model: nn.Module) -> Iterator[str]:
    """Parameters without weight decay: biases, LayerNorms and relative position biases.

    The query norm of the image blocks' cross-attention keeps its weight decayed, as the released weights were trained.
    Gates and the temperature decay too.
    """
    for prefix, module in model.named_modules():
        for name, _ in module.named_parameters(recurse=False):
            norm = isinstance(module, nn.LayerNorm) and not prefix.endswith("query_norm")
            position = isinstance(module, WindowAttention) and name == "relative_position_bias"
            if name == "bias" or norm or position:
                yield join(prefix, name)


def join(prefix: str, name: str) -> str:
    """Dotted name of a parameter within the model."""
    return f"{prefix}.{name}" if prefix else name


def optimizer_groups(model: nn.Module, config: GroupConfig, learning_rate: float) -> list[dict[str, Any]]:
    """Parameters by group, as PyTorch's optimisers take them; frozen parameters are left out."""
    # Sharded and whole parameters cannot be updated in one call, so they are apart.
    grouped: dict[tuple[ParameterGroup, bool], list[nn.Parameter]] = {}
    groups = parameter_groups(model, config)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            grouped.setdefault((groups[name], isinstance(parameter, DTensor)), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": learning_rate * group.learning_rate_multiplier,
            "weight_decay": group.weight_decay,
            "name": f"{group.kind}-decay{group.weight_decay:g}{'-sharded' if sharded else ''}",
        }
        for (group, sharded), parameters in grouped.items()
    ]


def summarize_groups(model: nn.Module, config: GroupConfig) -> str:
    """One line per group: tensors, elements, multiplier and decay."""
    groups = parameter_groups(model, config)
    tensors, elements = Counter(groups.values()), Counter[ParameterGroup]()
    for name, parameter in model.named_parameters():
        elements[groups[name]] += parameter.numel()
    lines = [
        f"{group.kind:<12}{tensors[group]:>5} tensors {elements[group]:>12,} parameters   "
        f"learning rate x {group.learning_rate_multiplier:g}, weight decay {group.weight_decay:g}"
        for group in sorted(tensors)
    ]
    return "\n".join(["Optimiser groups", *lines])
