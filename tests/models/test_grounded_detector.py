"""The whole detector at a tiny size.

Axes: B = 2 images, L = 8 tokens.
"""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from fiber.models.detector_config import ChannelOrder, CoarserSampling, DetectorConfig
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.grounding_head import DetectorOutput
from fiber.models.trunks import FusedFeatures
from fiber.objectives.grounding import GroundingCriterion, ImageTargets

MASK = torch.arange(8) < torch.tensor([[5], [8]])


def make_pixels(height: int = 64, width: int = 96, num_images: int = 2) -> Tensor:
    return torch.randn(num_images, 3, height, width, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def make_ids(seed: int = 4) -> Tensor:
    """Two texts of 5 and 8 tokens."""
    ids = torch.randint(4, 50, (2, 8), generator=torch.Generator().manual_seed(seed))
    return ids.masked_fill(~MASK, 1)


def set_gates(model: nn.Module, value: float) -> None:
    for module in model.modules():
        if isinstance(module, GatedCrossAttention):
            nn.init.constant_(module.gate, value)


def assert_equal(found: DetectorOutput, expected: DetectorOutput, *, tolerance: float = 1e-10) -> None:
    for name in ("token_logits", "deltas", "centerness"):
        mine, theirs = getattr(found, name), getattr(expected, name)
        assert mine.shape == theirs.shape
        assert torch.allclose(mine, theirs, atol=tolerance), name
    assert torch.equal(found.text_mask, expected.text_mask)
    assert found.level_sizes == expected.level_sizes


def fuse(model: GroundedDetector, pixels: Tensor, ids: Tensor) -> FusedFeatures:
    return model.backbone.fuse(model.encode_image(pixels), model.encode_text(ids, MASK))


@pytest.mark.parametrize("size", [(32, 32), (32, 160), (96, 64), (224, 32)])
def test_any_multiple_of_32_is_a_size(tiny_detector: GroundedDetector, size: tuple[int, int]) -> None:
    output = tiny_detector(make_pixels(*size), make_ids(), MASK)
    expected, side = [], (size[0] // 8, size[1] // 8)
    for _ in range(5):
        expected.append(side)
        side = (-(-side[0] // 2), -(-side[1] // 2))
    assert output.level_sizes == tuple(expected)
    cells = sum(height * width for height, width in expected)
    assert output.token_logits.shape == (2, cells, 8)
    assert (output.deltas.shape, output.centerness.shape) == ((2, cells, 4), (2, cells))
    assert all(part.isfinite().all() for part in output[:3])


def test_cached_trunks_give_what_the_pairs_give(tiny_detector: GroundedDetector) -> None:
    pixels, ids = make_pixels(), make_ids()
    image, text = tiny_detector.encode_image(pixels), tiny_detector.encode_text(ids, MASK)
    pick_image, pick_text = torch.tensor([0, 1, 1, 0]), torch.tensor([1, 1, 0, 0])
    expected = tiny_detector(pixels[pick_image], ids[pick_text], MASK[pick_text])
    assert_equal(tiny_detector.detect(image[pick_image], text[pick_text]), expected)


def test_an_expanded_image_meets_several_texts(tiny_detector: GroundedDetector) -> None:
    pixels, ids = make_pixels(num_images=1), make_ids()
    image = tiny_detector.encode_image(pixels).map(lambda tensor: tensor.expand(2, *tensor.shape[1:]))
    expected = tiny_detector(pixels.repeat(2, 1, 1, 1), ids, MASK)
    assert_equal(tiny_detector.detect(image, tiny_detector.encode_text(ids, MASK)), expected)


def test_images_of_a_batch_do_not_meet(tiny_detector: GroundedDetector) -> None:
    pixels, ids = make_pixels(), make_ids()
    both, alone = tiny_detector(pixels, ids, MASK), tiny_detector(pixels[1:], ids[1:], MASK[1:])
    assert torch.allclose(both.token_logits[1:], alone.token_logits, atol=1e-10)
    assert torch.allclose(both.deltas[1:], alone.deltas, atol=1e-10)


def test_ids_in_padding_change_nothing(tiny_detector: GroundedDetector) -> None:
    pixels, ids = make_pixels(), make_ids()
    other = torch.where(MASK, ids, 17)
    expected, found = tiny_detector(pixels, ids, MASK), tiny_detector(pixels, other, MASK)
    assert_equal(found, expected)


def test_padding_of_the_text_changes_nothing(tiny_detector: GroundedDetector) -> None:
    pixels, ids = make_pixels(num_images=1), make_ids()[:1]
    long, short = tiny_detector(pixels, ids, MASK[:1]), tiny_detector(pixels, ids[:, :5], MASK[:1, :5])
    assert torch.allclose(long.token_logits[:, :, :5], short.token_logits, atol=1e-10)
    assert torch.allclose(long.deltas, short.deltas, atol=1e-10)


def test_open_gates_let_each_side_see_the_other(tiny_detector: GroundedDetector) -> None:
    first = fuse(tiny_detector, make_pixels(), make_ids())
    assert not torch.allclose(fuse(tiny_detector, make_pixels(), make_ids(5)).image, first.image)
    assert not torch.allclose(fuse(tiny_detector, make_pixels().flip(3), make_ids()).text, first.text)


def test_shut_gates_keep_image_and_text_apart(tiny_detector: GroundedDetector) -> None:
    set_gates(tiny_detector, 0.0)
    first = fuse(tiny_detector, make_pixels(), make_ids())
    other_text = fuse(tiny_detector, make_pixels(), make_ids(5))
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(first.stages, other_text.stages, strict=True))
    assert not torch.equal(other_text.text, first.text)
    other_image = fuse(tiny_detector, make_pixels().flip(3), make_ids())
    assert torch.equal(other_image.text, first.text)
    assert not torch.equal(other_image.image, first.image)


def test_the_third_fusion_version_without_its_norm_is_the_second(tiny_detector: GroundedDetector) -> None:
    third = GroundedDetector(replace(tiny_detector.config, query_norm=True)).double().eval()
    missing, unexpected = third.load_state_dict(tiny_detector.state_dict(), strict=False)
    assert {name.split(".")[-2] for name in missing} == {"query_norm"}
    assert (len(missing), unexpected) == (2 * 3, [])
    expected = tiny_detector(make_pixels(), make_ids(), MASK)
    # A norm with weight 1 and bias 0 is no identity.
    assert not torch.allclose(third(make_pixels(), make_ids(), MASK).deltas, expected.deltas, atol=1e-7)
    for module in third.modules():
        if isinstance(module, GatedCrossAttention):
            module.query_norm = nn.Identity()
    assert_equal(third(make_pixels(), make_ids(), MASK), expected)


def test_the_text_reaches_the_head_through_its_last_norm(tiny_detector: GroundedDetector) -> None:
    norm = tiny_detector.backbone.text.layers[-1].output_norm
    assert isinstance(norm, nn.LayerNorm)
    nn.init.zeros_(norm.weight)
    nn.init.constant_(norm.bias, 0.3)
    assert torch.allclose(fuse(tiny_detector, make_pixels(), make_ids()).text, torch.tensor(0.3).double())


def test_stages_but_the_first_are_normed_for_the_pyramid(tiny_detector: GroundedDetector) -> None:
    fused = fuse(tiny_detector, make_pixels(), make_ids())
    features = tiny_detector.stage_features(fused)
    assert [tuple(one.shape[1:]) for one in features] == [(16, 8, 12), (32, 4, 6), (64, 2, 3)]
    for feature, stage in zip(features, fused.stages[1:], strict=True):
        centred = stage - stage.mean(dim=-1, keepdim=True)
        expected = centred / (stage.var(dim=-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
        assert torch.allclose(feature.permute(0, 2, 3, 1), expected, atol=1e-10)


def test_bgr_reverses_the_colours(tiny_detector: GroundedDetector) -> None:
    other = GroundedDetector(replace(tiny_detector.config, channel_order=ChannelOrder.BGR)).double().eval()
    other.load_state_dict(tiny_detector.state_dict())
    expected = tiny_detector(make_pixels(), make_ids(), MASK)
    assert_equal(other(make_pixels()[:, [2, 1, 0]], make_ids(), MASK), expected)
    assert not torch.allclose(other(make_pixels(), make_ids(), MASK).deltas, expected.deltas)


def test_the_ways_of_sampling_the_coarser_level_differ(tiny_detector: GroundedDetector) -> None:
    other = GroundedDetector(replace(tiny_detector.config, coarser_sampling=CoarserSampling.RESIZED)).double().eval()
    other.load_state_dict(tiny_detector.state_dict())
    expected = tiny_detector(make_pixels(), make_ids(), MASK)
    assert not torch.allclose(other(make_pixels(), make_ids(), MASK).deltas, expected.deltas)


def test_chance_is_for_training_alone(tiny_detector: GroundedDetector) -> None:
    config = replace(tiny_detector.config, drop_path=0.5, drop_block=0.3)
    model = GroundedDetector(config).double()
    model.load_state_dict(tiny_detector.state_dict())
    expected = tiny_detector(make_pixels(), make_ids(), MASK)
    assert_equal(model.eval()(make_pixels(), make_ids(), MASK), expected)
    model.train()
    first, second = (model(make_pixels(), make_ids(), MASK) for _ in range(2))
    assert not torch.allclose(first.deltas, second.deltas)


@pytest.mark.parametrize("with_boxes", [True, False])
def test_every_parameter_has_a_gradient_in_every_step(tiny_detector: GroundedDetector, with_boxes: bool) -> None:
    """Else several processes would wait for each other."""
    boxes = torch.tensor([[4.0, 6.0, 40.0, 50.0]])[: int(with_boxes)]
    targets = [ImageTargets(boxes, torch.ones(len(boxes), 8, dtype=torch.bool))] * 2
    output = tiny_detector(make_pixels(), make_ids(), MASK)
    GroundingCriterion(tiny_detector.config)(output, targets).total().backward()
    for name, parameter in tiny_detector.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_half_precision_gives_finite_float32_outputs_near_the_full_ones(tiny_detector: GroundedDetector) -> None:
    model, pixels = tiny_detector.float(), make_pixels().float()
    expected = model(pixels, make_ids(), MASK)
    with torch.autocast("cpu", torch.bfloat16):
        found = model(pixels, make_ids(), MASK)
    for mine, theirs in zip(found[:3], expected[:3], strict=True):
        assert mine.dtype == torch.float32
        assert mine.isfinite().all()
        assert (mine - theirs).abs().max() < 0.1 * theirs.abs().max() + 0.02


@pytest.fixture
def prompted(tiny_detector: GroundedDetector) -> GroundedDetector:
    """`tiny_detector` with prompt offsets, still zero."""
    model = GroundedDetector(replace(tiny_detector.config, prompt_offsets=True)).double().eval()
    missing, unexpected = model.load_state_dict(tiny_detector.state_dict(), strict=False)
    assert (missing, unexpected) == (["prompt_offsets"], [])
    return model


def offsets(model: GroundedDetector) -> Tensor:
    assert model.prompt_offsets is not None
    return model.prompt_offsets.data


def test_prompt_offsets_change_nothing_before_they_are_trained(
    prompted: GroundedDetector, tiny_detector: GroundedDetector
) -> None:
    assert offsets(prompted).shape == (12, 16)  # text budget, text width
    expected = tiny_detector(make_pixels(), make_ids(), MASK)
    assert_equal(prompted(make_pixels(), make_ids(), MASK), expected, tolerance=0.0)


def test_each_offset_is_added_at_its_place_of_every_text(prompted: GroundedDetector) -> None:
    before = prompted.encode_text(make_ids(), MASK).state
    offsets(prompted)[2] = torch.arange(16)
    expected = torch.zeros(2, 8, 16).double()
    expected[:, 2] = torch.arange(16)
    assert torch.allclose(prompted.encode_text(make_ids(), MASK).state - before, expected)


def test_offsets_reach_words_boxes_and_centers(prompted: GroundedDetector) -> None:
    before = prompted(make_pixels(), make_ids(), MASK)
    nn.init.normal_(offsets(prompted))
    after = prompted(make_pixels(), make_ids(), MASK)
    for mine, theirs in zip(after[:3], before[:3], strict=True):
        assert not torch.allclose(mine, theirs, atol=1e-5)


def test_offsets_in_padding_change_nothing(prompted: GroundedDetector) -> None:
    pixels, ids = make_pixels(num_images=1), make_ids()[:1]
    expected = prompted(pixels, ids, MASK[:1])
    offsets(prompted)[5:] = 3.0
    found = prompted(pixels, ids, MASK[:1])
    assert torch.allclose(found.deltas, expected.deltas, atol=1e-10)
    assert torch.allclose(found.token_logits[:, :, :5], expected.token_logits[:, :, :5], atol=1e-10)


def test_prompts_with_offsets_are_encoded_once(prompted: GroundedDetector) -> None:
    nn.init.normal_(offsets(prompted))
    pixels, ids = make_pixels(), make_ids()
    image, text = prompted.encode_image(pixels), prompted.encode_text(ids, MASK)
    pick = torch.tensor([1, 0, 1])
    expected = prompted(pixels[[0, 0, 0]], ids[pick], MASK[pick])
    assert_equal(prompted.detect(image[torch.tensor([0, 0, 0])], text[pick]), expected)


@pytest.mark.slow
def test_the_forward_pass_compiles_to_one_graph(tiny_detector_config: DetectorConfig) -> None:
    torch.manual_seed(0)
    model = GroundedDetector(replace(tiny_detector_config, num_blocks=1)).eval()
    set_gates(model, 0.7)
    pixels, ids = make_pixels().float(), make_ids()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True, dynamic=False)
    with torch.no_grad():
        assert_equal(compiled(pixels, ids, MASK), model(pixels, ids, MASK), tolerance=1e-4)
