"""The classifier over answers sees image and question."""

import torch
import torch.nn.functional as F

from fiber.models.config import FusionConfig
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.question_answering_model import FiberForQuestionAnswering


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 3, 128, 128, generator=generator, dtype=torch.float64)
    ids = torch.randint(4, 49, (2, 8), generator=generator)
    mask = torch.arange(8) < torch.tensor([[8], [5]])
    return pixels, torch.where(mask, ids, 1), mask


def test_logits_are_the_classifier_on_pooled_pairs(tiny_config: FusionConfig) -> None:
    torch.manual_seed(0)
    model = FiberForQuestionAnswering(tiny_config, num_answers=7).double().eval()
    pixels, ids, mask = inputs()
    backbone, (first, norm, _, last) = model.backbone, model.classifier.layers
    pooled = model.cross_modal_head(
        backbone.fuse(backbone.encode_image(pixels), backbone.encode_text(ids, mask))
    ).pooled
    hidden = F.layer_norm(pooled @ first.weight.T + first.bias, norm.normalized_shape, norm.weight, norm.bias)
    expected = F.gelu(hidden) @ last.weight.T + last.bias
    assert first.weight.shape == (32, 32) and last.weight.shape == (7, 32)
    torch.testing.assert_close(model(pixels, ids, mask), expected)


def test_every_answer_depends_on_image_and_question(tiny_config: FusionConfig) -> None:
    torch.manual_seed(0)
    model = FiberForQuestionAnswering(tiny_config, num_answers=7).double().eval()
    for module in model.modules():
        if isinstance(module, GatedCrossAttention):
            torch.nn.init.constant_(module.gate, 0.7)
    pixels, ids, mask = inputs()
    logits = model(pixels, ids, mask)
    other_image = model(pixels.flip(0), ids, mask)
    other_question = model(pixels, torch.where(mask, (ids - 3) % 40 + 4, 1), mask)
    assert ((logits - other_image).abs() > 1e-6).all()
    assert ((logits - other_question).abs() > 1e-6).all()
    padded = torch.where(mask, ids, 9)  # what stands behind the mask has no say
    torch.testing.assert_close(model(pixels, padded, mask)[1], logits[1])


def test_at_first_every_answer_is_as_probable_as_any_other(tiny_config: FusionConfig) -> None:
    torch.manual_seed(0)
    model = FiberForQuestionAnswering(tiny_config, num_answers=50).double().eval()
    probabilities = model(*inputs()).sigmoid()
    assert probabilities.min() > 0.005
    assert abs(probabilities.mean() - 1 / 50) < 0.01
