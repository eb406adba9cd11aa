"""Optimiser groups of the fine stage against the original's sizes and rules."""

from collections import Counter
from dataclasses import replace

import torch

from fiber.models.detector_config import DetectorConfig
from fiber.models.grounded_detector import GroundedDetector
from fiber.tasks.fine.freezing import freeze_image_stages
from fiber.tasks.fine.parameter_groups import FineGroupConfig, Kind
from fiber.tasks.parameter_groups import ParameterGroup, optimizer_groups, summarize_groups

CONFIG = FineGroupConfig()


def test_groups_of_the_paper_model_hold_the_original_numbers_of_elements() -> None:
    with torch.device("meta"):
        model = GroundedDetector(DetectorConfig())
    freeze_image_stages(model.backbone, 1)
    elements = {
        (round(group["lr"], 12), group["weight_decay"]): sum(parameter.numel() for parameter in group["params"])
        for group in optimizer_groups(model, CONFIG, learning_rate=1e-4)
    }
    assert elements == {
        (1e-4, 0.01): 113_688_076,
        (2e-4, 0.0): 364_446,
        (1e-5, 0.01): 137_322_246,
        (2e-5, 0.0): 120_576,
    }


def test_each_kind_of_parameter_follows_its_rule(tiny_detector: GroundedDetector) -> None:
    groups = CONFIG.groups(tiny_detector)
    assert set(groups) == {name for name, _ in tiny_detector.named_parameters()}
    decayed, bias = ParameterGroup(Kind.VISION, 1.0, 0.01), ParameterGroup(Kind.VISION, 2.0, 0.0)
    text, text_bias = ParameterGroup(Kind.LANGUAGE, 0.1, 0.01), ParameterGroup(Kind.LANGUAGE, 0.2, 0.0)
    expected = {
        "backbone.image.blocks.0.attention.qkv.weight": decayed,
        "backbone.image.blocks.0.attention.qkv.bias": bias,
        "backbone.image.blocks.0.attention.relative_position_bias": bias,
        "backbone.image.blocks.0.attention_norm.weight": decayed,
        "backbone.image.blocks.5.cross_attention.gate": decayed,
        "stage_norms.0.weight": decayed,
        "stage_norms.0.bias": bias,
        "pyramid.extra.0.weight": decayed,
        "head.level_scales": decayed,
        "head.log_scale": decayed,
        "head.token_bias": bias,
        "head.prior_bias": bias,
        "head.blocks.0.from_same.norm.weight": decayed,
        "head.text_projection.weight": decayed,
        "backbone.text.embedding.word.weight": text,
        "backbone.text.layers.3.cross_attention.gate": text,
        "backbone.text.layers.3.cross_attention.key_value.weight": text,
        "backbone.text.layers.0.output_norm.weight": text,
        "backbone.text.layers.0.output_norm.bias": text_bias,
    }
    for name, group in expected.items():
        assert groups[name] == group, name


def test_prompt_offsets_learn_at_the_full_rate(tiny_detector_config: DetectorConfig) -> None:
    model = GroundedDetector(replace(tiny_detector_config, prompt_offsets=True))
    groups = FineGroupConfig(language_multiplier=0.1).groups(model)
    assert set(groups) == {name for name, _ in model.named_parameters()}
    assert groups["prompt_offsets"] == ParameterGroup(Kind.PROMPT, 1.0, 0.01)
    assert [name for name, group in groups.items() if group.kind is Kind.PROMPT] == ["prompt_offsets"]


def test_a_recipe_with_one_rate_for_both_sides(tiny_detector: GroundedDetector) -> None:
    config = FineGroupConfig(weight_decay=1e-4, language_multiplier=1.0)
    found = {group[1:] for group in config.groups(tiny_detector).values()}
    assert found == {(1.0, 1e-4), (2.0, 0.0)}


def test_the_optimizer_takes_every_parameter_once_but_the_frozen(tiny_detector: GroundedDetector) -> None:
    freeze_image_stages(tiny_detector.backbone, 1)
    taken = Counter(id(p) for group in optimizer_groups(tiny_detector, CONFIG, 1e-3) for p in group["params"])
    assert taken == Counter(id(p) for p in tiny_detector.parameters() if p.requires_grad)
    assert len(taken) < len(list(tiny_detector.parameters()))


def test_summary_counts_every_element(tiny_detector: GroundedDetector) -> None:
    lines = summarize_groups(tiny_detector, CONFIG).splitlines()[1:]
    counted = sum(int(line.split("tensors")[1].split()[0].replace(",", "")) for line in lines)
    assert len(lines) == 4
    assert counted == sum(parameter.numel() for parameter in tiny_detector.parameters())
