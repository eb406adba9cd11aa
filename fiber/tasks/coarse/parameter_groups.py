"""Which parameters decay and how fast each learns in the coarse stage (paper appendix; the original's rules).

Three kinds of parameters, each with and without weight decay: those of the two backbones, those that were never
pre-trained because they join the modalities, and those of the tasks' heads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from torch import nn

from fiber.models.captioning_model import ImageAdapters
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.heads import (
    ClassificationHead,
    ContrastiveHead,
    CrossModalHead,
    MaskedLanguageModelingHead,
    MatchingHead,
)
from fiber.models.window_attention import WindowAttention
from fiber.tasks.parameter_groups import GroupRules, ParameterGroup, join


class Kind(StrEnum):
    BACKBONE = "backbone"
    CROSS_MODAL = "cross_modal"
    HEAD = "head"


@dataclass(frozen=True, kw_only=True)
class CoarseGroupConfig(GroupRules):
    """Multipliers of the base learning rate, and the decay."""

    weight_decay: float = 0.01
    head_multiplier: float = 5.0
    cross_modal_multiplier: float = 5.0

    def multiplier(self, kind: Kind) -> float:
        of_kind = {Kind.HEAD: self.head_multiplier, Kind.CROSS_MODAL: self.cross_modal_multiplier}
        return of_kind.get(kind, 1.0)

    def groups(self, model: nn.Module) -> dict[str, ParameterGroup]:
        no_decay = set(undecayed(model))
        return {
            name: ParameterGroup(kind, self.multiplier(kind), 0.0 if name in no_decay else self.weight_decay)
            for name, kind in kinds(model).items()
        }


CROSS_MODAL_MODULES = (GatedCrossAttention, CrossModalHead, ContrastiveHead, ImageAdapters)
HEAD_MODULES = (MaskedLanguageModelingHead, MatchingHead, ClassificationHead)


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

    The query norm of the image blocks' cross-attention and the norm of a classifier keep their weight decayed, as the
    released weights were trained. Gates and the temperature decay too.
    """
    classifiers = {layer for head in model.modules() if isinstance(head, ClassificationHead) for layer in head.layers}
    for prefix, module in model.named_modules():
        for name, _ in module.named_parameters(recurse=False):
            decayed = prefix.endswith("query_norm") or module in classifiers
            norm = isinstance(module, nn.LayerNorm) and not decayed
            position = isinstance(module, WindowAttention) and name == "relative_position_bias"
            if name == "bias" or norm or position:
                yield join(prefix, name)
