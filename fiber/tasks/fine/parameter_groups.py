"""Which parameters decay and how fast each learns in the fine stage (the original's rules).

The text side learns more slowly than everything else, and whatever is a bias learns twice as fast and never decays.
"""

from dataclasses import dataclass
from enum import StrEnum

from torch import nn

from fiber.models.grounded_detector import GroundedDetector
from fiber.models.roberta import RobertaEncoder
from fiber.tasks.parameter_groups import GroupRules, ParameterGroup, join


class Kind(StrEnum):
    VISION = "vision"
    """Image backbone, pyramid and head."""
    LANGUAGE = "language"
    """Text backbone, its cross-attention included."""
    PROMPT = "prompt"
    """Learned offsets of the prompt. They start at zero, so they learn at the full rate, unlike the text backbone."""


@dataclass(frozen=True, kw_only=True)
class FineGroupConfig(GroupRules):
    """Multipliers of the base learning rate, and the decay."""

    weight_decay: float = 0.01
    language_multiplier: float = 0.1
    bias_multiplier: float = 2.0
    """On top of the kind's. Biases are those of layers, the relative position biases and the head's."""

    def groups(self, model: nn.Module) -> dict[str, ParameterGroup]:
        return {name: self.group(name, kind) for name, kind in kinds(model).items()}

    def group(self, name: str, kind: Kind) -> ParameterGroup:
        """Norm weights, gates and scales are no biases: they decay."""
        multiplier = self.language_multiplier if kind is Kind.LANGUAGE else 1.0
        if name.rpartition(".")[2].endswith("bias"):
            return ParameterGroup(kind, multiplier * self.bias_multiplier, 0.0)
        return ParameterGroup(kind, multiplier, self.weight_decay)


def kinds(model: nn.Module) -> dict[str, Kind]:
    """Kind of every parameter."""
    found = dict.fromkeys((name for name, _ in model.named_parameters()), Kind.VISION)
    for prefix, module in model.named_modules():
        if isinstance(module, RobertaEncoder):
            found |= dict.fromkeys((join(prefix, name) for name, _ in module.named_parameters()), Kind.LANGUAGE)
        if isinstance(module, GroundedDetector) and module.prompt_offsets is not None:
            found[join(prefix, "prompt_offsets")] = Kind.PROMPT
    return found
