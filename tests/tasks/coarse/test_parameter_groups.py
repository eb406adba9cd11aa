"""Optimiser groups against the original's sizes and rules."""

from collections import Counter

import pytest

from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig
from fiber.models.pretraining_model import FiberForPretraining
from fiber.tasks.coarse.parameter_groups import CoarseGroupConfig, Kind
from fiber.tasks.optimizer import CoarseOptimizationConfig, configure_optimizer
from fiber.tasks.parameter_groups import optimizer_groups, summarize_groups

CONFIG = CoarseGroupConfig(weight_decay=0.01, head_multiplier=50.0, cross_modal_multiplier=5.0)


@pytest.fixture(scope="module")
def model() -> FiberForPretraining:
    return FiberForPretraining(
        FusionConfig(
            image=SwinConfig(embed_dim=8, depths=(1, 1, 2, 1), num_heads=(1, 1, 2, 2), window_size=2),
            text=RobertaConfig(
                hidden_size=16, num_layers=3, num_heads=2, intermediate_size=32, vocab_size=50, max_positions=20
            ),
            num_fusion_layers=2,
            projection_size=16,
        )
    )


def test_groups_of_the_paper_model_hold_the_original_numbers_of_elements() -> None:
    model = FiberForPretraining(FusionConfig(image=SwinConfig(window_size=7)))
    groups = CONFIG.groups(model)
    elements = Counter[tuple[Kind, bool]]()
    for name, parameter in model.named_parameters():
        elements[groups[name].kind, groups[name].weight_decay > 0] += parameter.numel()
    # Parameters that the original owns but never trains are subtracted: text pooler, ranking head, gates of the six
    # unfused text layers, the norm after the text layers' cross-attention.
    assert elements == {
        (Kind.BACKBONE, True): 211_038_721 - 768 * 768 - 1536,
        (Kind.BACKBONE, False): 351_673 - 768 - 1,
        (Kind.HEAD, True): 39_196_416,
        (Kind.HEAD, False): 52_571,
        (Kind.CROSS_MODAL, True): 31_068_178 - 6,
        (Kind.CROSS_MODAL, False): 54_272 - 6 * 2 * 768,
    }


def test_decay_follows_the_original_exceptions(model: FiberForPretraining) -> None:
    groups = CONFIG.groups(model)

    def decays(ending: str) -> set[float]:
        found = {group.weight_decay for name, group in groups.items() if name.endswith(ending)}
        assert found, ending
        return found

    assert decays("query_norm.weight") == decays("gate") == decays("temperature") == {0.01}
    assert decays("bias") == decays("relative_position_bias") == {0.0}
    assert groups["temperature"].kind is Kind.BACKBONE


def test_optimizer_takes_every_parameter_once_at_its_learning_rate(model: FiberForPretraining) -> None:
    groups = optimizer_groups(model, CONFIG, learning_rate=1e-3)
    taken = [parameter for group in groups for parameter in group["params"]]
    assert Counter(map(id, taken)) == Counter(map(id, model.parameters()))
    rates = {kind: {g["lr"] for g in groups if g["name"].startswith(kind)} for kind in Kind}
    expected = {Kind.BACKBONE: 1e-3, Kind.CROSS_MODAL: 5e-3, Kind.HEAD: 5e-2}
    for kind, rate in expected.items():
        assert sorted(rates[kind]) == pytest.approx([rate])


def test_frozen_parameters_are_left_out(model: FiberForPretraining) -> None:
    model.temperature.requires_grad_(False)
    try:
        taken = {id(p) for group in optimizer_groups(model, CONFIG, learning_rate=1e-3) for p in group["params"]}
    finally:
        model.temperature.requires_grad_(True)
    assert id(model.temperature) not in taken


def test_summary_counts_every_element(model: FiberForPretraining) -> None:
    lines = summarize_groups(model, CONFIG).splitlines()[1:]
    counted = sum(int(line.split("tensors")[1].split()[0].replace(",", "")) for line in lines)
    assert len(lines) == 6
    assert counted == sum(parameter.numel() for parameter in model.parameters())


def test_schedule_scales_every_group_alike(model: FiberForPretraining) -> None:
    config = CoarseOptimizationConfig(learning_rate=1e-3, batch_size=8, max_steps=10, groups=CONFIG)
    configured = configure_optimizer(model, config)
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]  # type: ignore[index]
    assert all(group["lr"] == 0 for group in optimizer.param_groups)
    optimizer.step()
    schedule.step()
    rates = {group["name"].split("-")[0]: group["lr"] for group in optimizer.param_groups}
    expected = {Kind.BACKBONE: 1e-3, Kind.CROSS_MODAL: 5e-3, Kind.HEAD: 5e-2}
    assert rates == pytest.approx({str(kind): rate for kind, rate in expected.items()})
    assert {group["betas"] for group in optimizer.param_groups} == {(0.9, 0.98)}
