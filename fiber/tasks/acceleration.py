"""Compilation and activation checkpointing, applied to a model from outside."""

from functools import partial

import torch
from torch.utils.checkpoint import checkpoint

from fiber.models.fusion_backbone import FusionBackbone

VERBS = ("encode_image", "encode_text", "fuse", "pool_image", "pool_text", "finish_image")


def compile_backbone(backbone: FusionBackbone, *, backend: str = "inductor") -> None:
    """Compile each verb as one graph, in place. Parameters keep their names."""
    for verb in VERBS:
        setattr(backbone, verb, torch.compile(getattr(backbone, verb), fullgraph=True, dynamic=False, backend=backend))


def checkpoint_activations(backbone: FusionBackbone) -> None:
    """Keep only the inputs of every block and layer, and compute the rest again in the backward pass, in place.

    Costs about a third more time for a fraction of the memory. Parameters keep their names.
    """
    for layer in (*backbone.image.blocks, *backbone.text.layers):
        setattr(layer, "forward", partial(checkpoint, layer.forward, use_reentrant=False))  # noqa: B010
