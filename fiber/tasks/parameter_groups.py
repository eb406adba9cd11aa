"""Groups of parameters that share a learning rate and a weight decay.

Which parameter belongs where is a rule of the stage.
"""

from abc import ABC, abstractmethod
from collections import Counter
from enum import StrEnum
from typing import Any, NamedTuple

from torch import nn
from torch.distributed.tensor import DTensor


class ParameterGroup(NamedTuple):
    """Where a parameter belongs."""

    kind: StrEnum
    learning_rate_multiplier: float
    weight_decay: float


class GroupRules(ABC):
    """How a stage groups its parameters."""

    @abstractmethod
    def groups(self, model: nn.Module) -> dict[str, ParameterGroup]:
        """The group of every parameter by its name in `model`."""


def join(prefix: str, name: str) -> str:
    """Dotted name of a parameter within the model."""
    return f"{prefix}.{name}" if prefix else name


def optimizer_groups(model: nn.Module, rules: GroupRules, learning_rate: float) -> list[dict[str, Any]]:
    """Parameters by group, as PyTorch's optimisers take them; frozen parameters are left out."""
    # Sharded and whole parameters cannot be updated in one call, so they are apart.
    grouped: dict[tuple[ParameterGroup, bool], list[nn.Parameter]] = {}
    groups = rules.groups(model)
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


def summarize_groups(model: nn.Module, rules: GroupRules) -> str:
    """One line per group: tensors, elements, multiplier and decay; and one for what is frozen."""
    groups = rules.groups(model)
    tensors, elements, frozen = Counter[ParameterGroup](), Counter[ParameterGroup](), []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            tensors[groups[name]] += 1
            elements[groups[name]] += parameter.numel()
        else:
            frozen.append(parameter.numel())
    lines = [
        f"{group.kind:<12}{tensors[group]:>5} tensors {elements[group]:>12,} parameters   "
        f"learning rate x {group.learning_rate_multiplier:g}, weight decay {group.weight_decay:g}"
        for group in sorted(tensors)
    ]
    if frozen:
        lines.append(f"{'frozen':<12}{len(frozen):>5} tensors {sum(frozen):>12,} parameters")
    return "\n".join(["Optimiser groups", *lines])
