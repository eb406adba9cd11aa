"""What each way of tuning trains, and what it leaves exactly as it was."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from fiber.models.config import FusionConfig
from fiber.models.detector_config import DetectorConfig
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.grounded_detector import GroundedDetector
from fiber.objectives.grounding import GroundingCriterion, ImageTargets
from fiber.tasks.fine.freezing import freeze_image_stages
from fiber.tasks.fine.parameter_groups import FineGroupConfig
from fiber.tasks.fine.tuning import Tuning, restrict_training
from fiber.tasks.parameter_groups import optimizer_groups
from fiber.utils.errors import UserError

PROBE = {
    "head.box.weight",
    "head.box.bias",
    "head.centerness.weight",
    "head.centerness.bias",
    "head.text_projection.weight",
    "head.text_projection.bias",
    "head.level_scales",
    "head.token_bias",
    "head.prior_bias",
    "head.log_scale",
}
PROMPT = {"prompt_offsets"}
MASK = torch.arange(8) < torch.tensor([[5], [8]])


@pytest.fixture
def model(tiny_config: FusionConfig, tiny_detector_config: DetectorConfig) -> GroundedDetector:
    """With prompt offsets, and chance in every part."""
    torch.manual_seed(0)
    backbone = replace(tiny_config, text=replace(tiny_config.text, dropout=0.3))
    config = replace(tiny_detector_config, backbone=backbone, drop_path=0.4, drop_block=0.3, prompt_offsets=True)
    model = GroundedDetector(config).train()
    for module in model.modules():
        if isinstance(module, GatedCrossAttention):
            nn.init.constant_(module.gate, 0.7)
    return model


def text_names(model: GroundedDetector) -> set[str]:
    return {f"backbone.text.{name}" for name, _ in model.backbone.text.named_parameters()}


def expected_names(model: GroundedDetector, tuning: Tuning) -> set[str]:
    return {
        Tuning.FULL: {name for name, _ in model.named_parameters()},
        Tuning.LINEAR_PROBE: PROBE,
        Tuning.TEXT: text_names(model),
        Tuning.PROMPT: PROMPT,
        Tuning.TEXT_AND_PROBE: text_names(model) | PROBE,
        Tuning.PROMPT_AND_PROBE: PROMPT | PROBE,
    }[tuning]


def loss(model: GroundedDetector) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    pixels = torch.randn(2, 3, 64, 96, generator=generator)
    ids = torch.randint(4, 50, (2, 8), generator=generator).masked_fill(~MASK, 1)
    boxes = torch.tensor([[4.0, 6.0, 40.0, 50.0]])
    targets = [ImageTargets(boxes, torch.ones(1, 8, dtype=torch.bool))] * 2
    return GroundingCriterion(model.config)(model(pixels, ids, MASK), targets).total()


@pytest.mark.parametrize("tuning", Tuning)
def test_a_step_changes_what_is_tuned_and_nothing_else(model: GroundedDetector, tuning: Tuning) -> None:
    restrict_training(model, tuning)
    expected = expected_names(model, tuning)
    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == expected
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loss(model).backward()
    groups = optimizer_groups(model, FineGroupConfig(weight_decay=0.0), 1e-2)
    torch.optim.AdamW(groups).step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed <= expected
    unmoved = expected - changed
    # Words that occur in no text, and shifts that a softmax does not see.
    assert all("embedding" in name or "bias" in name for name in unmoved), unmoved
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == (name in expected), name  # else several processes would wait


@pytest.mark.parametrize(
    ("tuning", "chance_in_text"),
    [(Tuning.LINEAR_PROBE, False), (Tuning.PROMPT, False), (Tuning.PROMPT_AND_PROBE, False), (Tuning.TEXT, True)],
)
def test_parts_that_are_left_alone_have_no_chance_in_them(
    model: GroundedDetector, tuning: Tuning, chance_in_text: bool
) -> None:
    restrict_training(model, tuning)
    assert (loss(model) != loss(model)).item() == chance_in_text
    assert model.training  # whatever is trained stays in training mode
    assert not any(part.training for part in (*model.backbone.image.modules(), *model.pyramid.modules()))
    assert not any(block.training for block in model.head.blocks)
    assert all(part.training == chance_in_text for part in model.backbone.text.modules())


def test_everything_keeps_its_chance_where_everything_is_tuned(model: GroundedDetector) -> None:
    restrict_training(model, Tuning.FULL)
    assert all(module.training for module in model.modules())


def test_the_image_blocks_attention_to_the_text_belongs_to_the_image(model: GroundedDetector) -> None:
    restrict_training(model, Tuning.TEXT)
    assert not model.backbone.image.blocks[-1].cross_attention.gate.requires_grad
    assert model.backbone.text.layers[-1].cross_attention.gate.requires_grad


@pytest.mark.parametrize("tuning", [Tuning.FULL, Tuning.TEXT_AND_PROBE])
def test_frozen_stages_stay_frozen(model: GroundedDetector, tuning: Tuning) -> None:
    freeze_image_stages(model.backbone, 1)
    restrict_training(model, tuning)
    assert not any(parameter.requires_grad for parameter in model.backbone.image.patch_embedding.parameters())
    assert not model.backbone.image.blocks[0].training


@pytest.mark.parametrize("tuning", [Tuning.PROMPT, Tuning.PROMPT_AND_PROBE])
def test_prompts_cannot_be_tuned_without_offsets(tiny_detector: GroundedDetector, tuning: Tuning) -> None:
    with pytest.raises(UserError, match=rf"tuning={tuning}: this detector has no prompt offsets"):
        restrict_training(tiny_detector, tuning)
    assert all(parameter.requires_grad for parameter in tiny_detector.parameters())
