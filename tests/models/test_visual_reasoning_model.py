"""One text, two images."""

import pytest
import torch
from torch import Tensor

from fiber.models.config import FusionConfig, SwinConfig
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.visual_reasoning_model import FiberForVisualReasoning


@pytest.fixture
def model(tiny_config: FusionConfig) -> FiberForVisualReasoning:
    torch.manual_seed(0)
    model = FiberForVisualReasoning(tiny_config).double().eval()
    for module in model.modules():
        if isinstance(module, GatedCrossAttention):
            torch.nn.init.constant_(module.gate, 0.7)
    return model


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(3, 2, 3, 64, 64, generator=generator, dtype=torch.float64)
    ids = torch.randint(4, 50, (3, 7), generator=generator)
    mask = torch.arange(7) < torch.tensor([[7], [4], [6]])
    return pixels, torch.where(mask, ids, 1), mask


def test_equals_a_full_pass_for_either_image(model: FiberForVisualReasoning) -> None:
    pixels, ids, mask = inputs()
    passes = [
        model.backbone.fuse(model.backbone.encode_image(image), model.backbone.encode_text(ids, mask))
        for image in pixels.unbind(1)
    ]
    pooled = torch.cat([model.cross_modal_head(fused).pooled for fused in passes], dim=1)
    torch.testing.assert_close(model(pixels, ids, mask), model.classifier(pooled))


def test_left_and_right_are_told_apart(model: FiberForVisualReasoning) -> None:
    pixels, ids, mask = inputs()
    difference = model(pixels, ids, mask) - model(pixels.flip(1), ids, mask)
    assert (difference.abs() > 1e-4).all()


def test_statements_of_a_batch_do_not_mix(model: FiberForVisualReasoning) -> None:
    pixels, ids, mask = inputs()
    alone = torch.cat([model(pixels[[row]], ids[[row]], mask[[row]]) for row in range(3)])
    torch.testing.assert_close(model(pixels, ids, mask), alone)


def test_the_texts_own_layers_run_once(model: FiberForVisualReasoning) -> None:
    rows = []
    model.backbone.text.layers[0].register_forward_hook(lambda *arguments: rows.append(len(arguments[-1])))
    model(*inputs())
    assert rows == [3]


def test_the_papers_model_holds_the_originals_number_of_elements() -> None:
    with torch.device("meta"):
        model = FiberForVisualReasoning(FusionConfig(image=SwinConfig(window_size=7)))
    linear = 768 * 768 + 768
    contrastive = linear + (1024 * 768 + 768) + 2 * linear
    never_used = linear + 6 + 6 * 2 * 768  # text pooler, gates of unfused layers, norms after cross-attention
    assert sum(parameter.numel() for parameter in model.parameters()) == 247_237_580 - contrastive - never_used
