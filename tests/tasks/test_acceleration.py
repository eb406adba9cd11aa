"""Computing activations again gives the gradients that keeping them gives."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fiber.models.captioning_model import FiberForCaptioning
from fiber.models.config import FusionConfig
from fiber.objectives.caption_reward import evaluation_mode
from fiber.tasks.acceleration import checkpoint_activations


def gradients(model: FiberForCaptioning, *, in_evaluation_mode: bool) -> list[Tensor]:
    """Of captions written in training mode, or in evaluation mode with the backward pass in training mode."""
    pixels = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ids = torch.tensor([[0, 5, 6, 7, 2]])
    torch.manual_seed(1)
    model.train()
    if in_evaluation_mode:
        with evaluation_mode(model):
            loss = model.token_logits(ids, model.read_image(pixels)).square().mean()
    else:
        loss = model.token_logits(ids, model.read_image(pixels)).square().mean()
    found = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    return [gradient for gradient in found if gradient is not None]


@pytest.mark.parametrize("in_evaluation_mode", [False, True])
def test_activations_are_computed_again_in_the_mode_of_the_forward_pass(
    tiny_config: FusionConfig, in_evaluation_mode: bool
) -> None:
    sizes = replace(tiny_config, text=replace(tiny_config.text, dropout=0.3))
    torch.manual_seed(0)
    model = FiberForCaptioning(sizes).double()
    kept = gradients(model, in_evaluation_mode=in_evaluation_mode)
    checkpoint_activations(model.backbone)
    again = gradients(model, in_evaluation_mode=in_evaluation_mode)
    assert len(kept) == len(again) > 20
    for one, other in zip(kept, again, strict=True):
        torch.testing.assert_close(one, other)
