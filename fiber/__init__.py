"""Fused vision-language models: pretraining, fine-tuning, grounding, and a trained model to ask.

from fiber import Fiber
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fiber.inference.fiber import Fiber

__all__ = ["Fiber"]


def __getattr__(name: str) -> Any:
    """`Fiber` when it is first asked for: importing a part of the library does not import the rest."""
    if name == "Fiber":
        from fiber.inference.fiber import Fiber

        return Fiber
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
