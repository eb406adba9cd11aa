"""Encode once, fuse any pairs: the verbs agree with each other and with the plain backbones."""

import pytest
import torch
from torch import Tensor

from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig
from fiber.models.fusion_backbone import FusionBackbone
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.pretraining_model import FiberForPretraining
from fiber.models.trunks import ImageTrunk, TextTrunk
from fiber.tasks.acceleration import checkpoint_activations, compile_backbone


def inputs(size: tuple[int, int] = (64, 64)) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels, ids and mask of three pairs."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(10) < torch.tensor([10, 6, 3])[:, None]
    ids = torch.where(mask, torch.randint(4, 50, (3, 10), generator=generator), 1)
    return torch.randn(3, 3, *size, generator=generator).double(), ids, mask


def shut(backbone: FusionBackbone) -> None:
    for module in backbone.modules():
        if isinstance(module, GatedCrossAttention):
            torch.nn.init.zeros_(module.gate)


def test_indexed_trunks_equal_encoding_the_pairs(tiny_model: FiberForPretraining) -> None:
    backbone, (pixels, ids, mask) = tiny_model.backbone, inputs()
    i, j = torch.tensor([0, 0, 2, 1]), torch.tensor([2, 1, 0, 1])
    shared = backbone.fuse(backbone.encode_image(pixels)[i], backbone.encode_text(ids, mask)[j])
    direct = backbone.fuse(backbone.encode_image(pixels[i]), backbone.encode_text(ids[j], mask[j]))
    torch.testing.assert_close(shared.image, direct.image)
    torch.testing.assert_close(shared.text, direct.text)


def test_shut_gates_leave_two_separate_backbones(tiny_model: FiberForPretraining) -> None:
    backbone, (pixels, ids, mask) = tiny_model.backbone, inputs()
    shut(backbone)
    fused = backbone.fuse(backbone.encode_image(pixels), backbone.encode_text(ids, mask))
    torch.testing.assert_close(backbone.image.norm(fused.image), backbone.image(pixels))
    torch.testing.assert_close(backbone.text.layers[-1].output_norm(fused.text), backbone.text(ids, mask))


def test_pooling_equals_the_plain_backbones(tiny_model: FiberForPretraining) -> None:
    backbone, (pixels, ids, mask) = tiny_model.backbone, inputs()
    torch.testing.assert_close(backbone.pool_image(backbone.encode_image(pixels)), backbone.image(pixels))
    torch.testing.assert_close(backbone.pool_text(backbone.encode_text(ids, mask)), backbone.text(ids, mask))


def test_padding_tokens_change_nothing(tiny_model: FiberForPretraining) -> None:
    backbone, (pixels, ids, mask) = tiny_model.backbone, inputs()
    one = slice(2, 3)  # three real tokens
    image = backbone.encode_image(pixels[one])
    padded = backbone.fuse(image, backbone.encode_text(ids[one], mask[one]))
    short = backbone.fuse(image, backbone.encode_text(ids[one, :3], mask[one, :3]))
    torch.testing.assert_close(padded.image, short.image)
    torch.testing.assert_close(padded.text[:, :3], short.text)


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (32, 64)])
def test_stage_features_halve_from_stage_to_stage(tiny_model: FiberForPretraining, size: tuple[int, int]) -> None:
    backbone, (pixels, ids, mask) = tiny_model.backbone, inputs(size)
    trunk = backbone.encode_image(pixels, keep_stages=True)
    fused = backbone.fuse(trunk, backbone.encode_text(ids, mask))
    expected = [(3, size[0] // stride, size[1] // stride, 2 * stride) for stride in (4, 8, 16, 32)]
    assert [tuple(stage.shape) for stage in fused.stages] == expected
    without = backbone.fuse(backbone.encode_image(pixels), backbone.encode_text(ids, mask))
    assert without.stages == ()
    torch.testing.assert_close(without.image, fused.stages[-1])


def test_fusion_beginning_at_a_stage_keeps_every_stage() -> None:
    image = SwinConfig(embed_dim=8, depths=(1, 1, 2, 2), num_heads=(1, 1, 1, 1), window_size=2)
    text = RobertaConfig(hidden_size=8, num_layers=2, num_heads=1, intermediate_size=8, vocab_size=50)
    backbone = FusionBackbone(FusionConfig(image=image, text=text, num_fusion_layers=2)).double().eval()
    pixels, ids, mask = inputs()
    trunk = backbone.encode_image(pixels, keep_stages=True)
    assert trunk.state.shape[-1] == 64 and len(trunk.stages) == 3
    assert len(backbone.fuse(trunk, backbone.encode_text(ids, mask)).stages) == 4
    torch.testing.assert_close(backbone.pool_image(trunk), backbone.image(pixels))


@pytest.mark.parametrize("final_norm", [False, True])
def test_final_text_norm_of_the_fused_pass_is_a_choice(final_norm: bool) -> None:
    image = SwinConfig(embed_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1), window_size=2)
    text = RobertaConfig(hidden_size=16, num_layers=2, num_heads=1, intermediate_size=8, vocab_size=50)
    config = FusionConfig(image=image, text=text, num_fusion_layers=1, fused_text_final_norm=final_norm)
    backbone = FusionBackbone(config).double().eval()
    pixels, ids, mask = inputs()
    fused = backbone.fuse(backbone.encode_image(pixels), backbone.encode_text(ids, mask))
    normalised = torch.allclose(fused.text.mean(-1), torch.zeros(3, 10).double(), atol=1e-6)
    assert normalised is final_norm


def test_query_norm_is_a_choice(tiny_config: FusionConfig) -> None:
    with_norm, without = FusionBackbone(tiny_config), FusionBackbone(tiny_config_without_norm(tiny_config))
    extra = set(with_norm.state_dict()) - set(without.state_dict())
    assert len(extra) == 2 * tiny_config.num_fusion_layers
    assert all("image.blocks" in name and "query_norm" in name for name in extra)


def tiny_config_without_norm(config: FusionConfig) -> FusionConfig:
    return FusionConfig(
        image=config.image, text=config.text, num_fusion_layers=config.num_fusion_layers, query_norm=False
    )


def test_trunks_concatenate_and_slice(tiny_model: FiberForPretraining) -> None:
    backbone, (pixels, ids, mask) = tiny_model.backbone, inputs()
    image, text = backbone.encode_image(pixels, keep_stages=True), backbone.encode_text(ids, mask)
    again = ImageTrunk.concatenate([image[:1], image[1:]])
    torch.testing.assert_close(again.state, image.state)
    torch.testing.assert_close(again.stages, image.stages)
    assert len(TextTrunk.concatenate([text, text])) == 6


def test_compiled_verbs_break_no_graph_and_change_no_number(tiny_model: FiberForPretraining) -> None:
    backbone, (pixels, ids, mask) = tiny_model.backbone, inputs()

    def run() -> Tensor:
        fused = backbone.fuse(backbone.encode_image(pixels), backbone.encode_text(ids, mask))
        pooled_image = backbone.pool_image(backbone.encode_image(pixels))
        pooled_text = backbone.pool_text(backbone.encode_text(ids, mask))
        return sum(output.square().sum() for output in (fused.image, fused.text, pooled_image * 2, pooled_text * 3))

    run().backward()
    eager = {name: p.grad.clone() for name, p in backbone.named_parameters() if p.grad is not None}
    backbone.zero_grad()
    compile_backbone(backbone, backend="aot_eager")  # fullgraph: a graph break is an error
    run().backward()
    assert set(eager) == {name for name, p in backbone.named_parameters() if p.grad is not None}
    for name, parameter in backbone.named_parameters():
        if name in eager:
            torch.testing.assert_close(parameter.grad, eager[name])


def test_activation_checkpointing_changes_no_gradient(tiny_model: FiberForPretraining) -> None:
    backbone, (pixels, ids, mask) = tiny_model.backbone, inputs()
    gradients = []
    for _ in range(2):
        backbone.zero_grad()
        backbone.fuse(backbone.encode_image(pixels), backbone.encode_text(ids, mask)).text.sum().backward()
        gradients.append(backbone.image.patch_embedding.projection.weight.grad.clone())
        checkpoint_activations(backbone)
    torch.testing.assert_close(*gradients)
