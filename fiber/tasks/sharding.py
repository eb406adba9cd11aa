"""FSDP2 around models that do not know it."""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.heads import ContrastiveHead
from fiber.tasks.acceleration import VERBS


def shard_backbone(backbone: FusionBackbone, mesh: DeviceMesh) -> None:
    """Shard the parameters of the fused backbone over the processes of `mesh`, in place.

    Every block is gathered for its own forward and backward only; what lies between the blocks belongs to the backbone,
    gathered for the duration of a verb.
    """
    for layer in (*backbone.image.blocks, *backbone.text.layers):
        fully_shard(layer, mesh=mesh)
    fully_shard(backbone, mesh=mesh)
    for verb in VERBS:
        register_fsdp_forward_method(backbone, verb)


def shard_task_model(model: nn.Module, mesh: DeviceMesh) -> None:
    """Shard parameters, gradients and optimiser state of a backbone with heads, in place.

    A parameter of the model itself, such as the temperature, stays whole.
    """
    for child in model.children():
        if isinstance(child, FusionBackbone):
            shard_backbone(child, mesh)
            continue
        fully_shard(child, mesh=mesh)
        if isinstance(child, ContrastiveHead):
            for method in ("embed_image", "embed_text"):
                register_fsdp_forward_method(child, method)
    average_own_gradients(model)


def shard_detector(model: GroundedDetector, mesh: DeviceMesh) -> None:
    """Shard parameters, gradients and optimiser state, in place; the prompt's offsets stay whole."""
    shard_backbone(model.backbone, mesh)
    for module in (*model.stage_norms, model.pyramid, *model.head.blocks, model.head):
        fully_shard(module, mesh=mesh)
    average_own_gradients(model)


def average_own_gradients(model: nn.Module) -> None:
    """Average the gradients of parameters that stay whole, after every backward pass."""
    for parameter in (own for own in model.parameters(recurse=False) if own.requires_grad):
        parameter.register_post_accumulate_grad_hook(average_gradient)  # type: ignore[no-untyped-call]


def average_gradient(parameter: torch.Tensor) -> None:
    """Average a replicated parameter's gradient over the processes.

    What accumulated before is the same on all of them, so averaging the sum averages the new part.
    """
    assert isinstance(parameter, nn.Parameter) and parameter.grad is not None
    dist.all_reduce(parameter.grad)
    parameter.grad /= dist.get_world_size()
