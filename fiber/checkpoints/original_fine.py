"""State dict of the original fine stage <-> ours."""

from collections.abc import Iterator

from fiber.checkpoints.original_coarse import TensorName, affine, image_layer_names, text_names
from fiber.models.detector_config import DetectorConfig

IMAGE_PREFIX = "fusion_backbone.backbone.body"
TEXT_PREFIX = "fusion_backbone.language_backbone.body.model"
PYRAMID_PREFIX = "fusion_backbone.backbone.fpn"
HEAD_PREFIX = "rpn.head"
ANCHOR_PREFIX = "rpn.anchor_generator.cell_anchors"
BRANCHES = ("from_coarser", "from_same", "from_finer")
"""Of a dynamic-head block, in the original's order."""


def detector_names(config: DetectorConfig) -> tuple[TensorName, ...]:
    """Every tensor of `GroundedDetector` but the prompt offsets.

    What the original keeps besides are buffers and `cls_logits`, a frozen layer whose result it never uses.
    """
    return tuple(list_names(config))


def list_names(config: DetectorConfig) -> Iterator[TensorName]:
    backbone = config.fine_backbone
    yield from image_layer_names(backbone, IMAGE_PREFIX)
    yield from text_names(backbone, TEXT_PREFIX)
    for index in range(len(config.pyramid_widths)):
        yield from affine(f"stage_norms.{index}", f"{IMAGE_PREFIX}.norm{index + 1}")
        yield from affine(f"pyramid.lateral.{index}", f"{PYRAMID_PREFIX}.fpn_inner{index + 2}")
        yield from affine(f"pyramid.smooth.{index}", f"{PYRAMID_PREFIX}.fpn_layer{index + 2}")
    for index, name in enumerate(("p6", "p7")):
        yield from affine(f"pyramid.extra.{index}", f"{PYRAMID_PREFIX}.top_blocks.{name}")
    for index in range(config.num_blocks):
        yield from block_names(f"head.blocks.{index}", f"{HEAD_PREFIX}.dyhead_tower.{index}")
    yield from affine("head.box", f"{HEAD_PREFIX}.bbox_pred")
    yield from affine("head.centerness", f"{HEAD_PREFIX}.centerness")
    scales = tuple(f"{HEAD_PREFIX}.scales.{level}.scale" for level in range(len(config.strides)))
    yield TensorName("head.level_scales", scales)
    yield from affine("head.text_projection", f"{HEAD_PREFIX}.dot_product_projection_text")
    for ours, theirs in (("token_bias", "bias_lang"), ("prior_bias", "bias0"), ("log_scale", "log_scale")):
        yield TensorName(f"head.{ours}", (f"{HEAD_PREFIX}.{theirs}",))


def block_names(ours: str, theirs: str) -> Iterator[TensorName]:
    """Tensors of one dynamic-head block."""
    yield from affine(f"{ours}.sampling", f"{theirs}.offset")
    for index, branch in enumerate(BRANCHES):
        yield from affine(f"{ours}.{branch}.convolution", f"{theirs}.DyConv.{index}.conv")
        yield from affine(f"{ours}.{branch}.norm", f"{theirs}.DyConv.{index}.bn")
    yield from affine(f"{ours}.scale_attention", f"{theirs}.AttnConv.1")
    yield from affine(f"{ours}.activation.reduce", f"{theirs}.relu.fc.0")
    yield from affine(f"{ours}.activation.expand", f"{theirs}.relu.fc.2")
