"""What the original's configuration would say of a model, in its terms."""

from typing import Any

from fiber.checkpoints.model_description import CoarseDescription, ModelDescription
from fiber.models.detector_config import CoarserSampling

DEPTHS, TEXT_LAYERS = (2, 2, 18, 2), 12
"""For which the original's schedule of fusion is written."""


def original_settings(description: ModelDescription) -> dict[str, Any]:
    """Of a Lightning checkpoint's `hyper_parameters`; empty for a detector."""
    if not isinstance(description, CoarseDescription):
        return {}
    return {
        "image_size": description.image_size,
        "max_text_len": description.max_text_length,
        "vocab_size": description.backbone.text.vocab_size,
        "hidden_size": description.backbone.projection_size,
        "num_fuse_block": description.backbone.num_fusion_layers,
    }


def obstacles(description: ModelDescription) -> list[str]:
    """Why the original's code would not compute what the model does; empty if it would."""
    found = []
    image, text = description.backbone.image, description.backbone.text
    if (tuple(image.depths), text.num_layers) != (DEPTHS, TEXT_LAYERS):
        found.append(f"depths {tuple(image.depths)} and {text.num_layers} text layers, where it has {DEPTHS} and 12")
    if isinstance(description, CoarseDescription):
        if image.window_size * image.stride != description.image_size:
            found.append(f"a window of {image.window_size}, where it has image_size / {image.stride}")
        if not description.backbone.query_norm:
            found.append("no norm on the queries of the image's cross-attention")
        return found
    detector = description.detector
    if detector.coarser_sampling is not CoarserSampling.REWRAPPED:
        found.append(f"coarser_sampling={detector.coarser_sampling}, where it has {CoarserSampling.REWRAPPED}")
    if detector.prompt_offsets:
        found.append("prompt offsets, of which it has none")
    return found
