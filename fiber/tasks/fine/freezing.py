"""Parts of a model that a recipe leaves as they were."""

from collections.abc import Collection, Iterator

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


def freeze_others(model: nn.Module, trained: Collection[nn.Parameter]) -> None:
    """Take all parameters but `trained` out of training, in place.

    Modules without a parameter left to train are put into evaluation mode: no dropout, stochastic depth or DropBlock.
    """
    kept = {id(parameter) for parameter in trained}
    for parameter in model.parameters():
        if id(parameter) not in kept:
            parameter.requires_grad_(False)
    rest(model)


def rest(module: nn.Module) -> None:
    """Evaluation mode for the largest parts that have parameters, none of which is trained."""
    parameters = list(module.parameters())
    if parameters and not any(parameter.requires_grad for parameter in parameters):
        module.eval()
        return
    for child in module.children():
        rest(child)
