"""Parts of the image backbone that a recipe leaves as they were."""

from collections.abc import Iterator

from torch import nn

from fiber.models.fusion_backbone import FusionBackbone


def frozen_image_modules(backbone: FusionBackbone, num_stages: int | None) -> Iterator[nn.Module]:
    """Patch embedding and the first `num_stages` stages with the patch merging that ends each; None = nothing."""
    if num_stages is None:
        return
    yield backbone.image.patch_embedding
    for index, stage in enumerate(backbone.config.image.block_stages):
        if stage < num_stages:
            yield backbone.image.blocks[index]
    yield from backbone.image.merges[:num_stages]


def freeze_image_stages(backbone: FusionBackbone, num_stages: int | None) -> None:
    """Take parameters out of training, and the modules' stochastic depth with them, in place."""
    for module in frozen_image_modules(backbone, num_stages):
        module.requires_grad_(False)
        module.eval()
