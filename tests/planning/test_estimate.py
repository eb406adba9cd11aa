"""What a plan says about parameters, memory and time."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fiber.benchmarks.accelerators import ACCELERATORS, accelerator_of
from fiber.checkpoints.model_configs import build_detector_config
from fiber.checkpoints.model_description import CoarseDescription, DetectorDescription, ModelDescription
from fiber.checkpoints.model_kinds import build_model, kind_of_task
from fiber.planning.estimate import TASKS, Devices, Plan, make_plan, task_builder
from fiber.planning.parameters import count_parameters, parameters_by_part
from fiber.planning.planned_task import Sizes
from fiber.planning.running import run_plan
from fiber.planning.training_step import simulated
from fiber.tasks.coarse.fine_tuning_building import build_sizes
from fiber.tasks.trainer_config import Strategy, TrainerConfig
from fiber.tasks.training import RECIPES
from fiber.utils.errors import UserError

from .planning import composed

PUBLISHED = Sizes(vocab_size=50265, num_answers=3129, num_samples=443_757)


def described(stage: str, task: str, model: str) -> ModelDescription:
    """The model of a recipe, by the way that checkpoints take."""
    config = composed(f"stage={stage}", f"task={task}", f"model={model}")
    if stage == "fine":
        config.detector.update(channel_order="bgr", query_norm=True, coarser_sampling="rewrapped", prompt_offsets=False)
        detector = build_detector_config(config, vocab_size=50265)
        return DetectorDescription(detector=detector, short_side=800, max_side=1333)
    kind, sizes = kind_of_task(stage, task), build_sizes(config, vocab_size=50265)
    assert kind is not None
    return CoarseDescription(
        kind=kind, backbone=sizes, image_size=config.image_size, max_text_length=50, num_answers=3129
    )


@pytest.mark.parametrize(
    "model", ["base", *(pytest.param(model, marks=pytest.mark.slow) for model in ("tiny", "small", "large"))]
)
def test_parameters_are_those_of_the_built_model(model: str) -> None:
    for stage, task in [key for key in TASKS if key[0] == "coarse"] + [("fine", "pretrain")]:
        with torch.device("meta"):
            built = build_model(described(stage, task, model))
        config = composed(f"stage={stage}", f"task={task}", f"model={model}")
        with simulated(on_gpu=False), torch.device("meta"):
            planned = task_builder(config, PUBLISHED)().model
        count = count_parameters(planned)
        assert count.all == count_parameters(built).all == sum(one.all for one in parameters_by_part(planned).values())
        assert count.trained == sum(one.trained for one in parameters_by_part(planned).values())


def test_what_a_recipe_freezes_is_not_trained() -> None:
    config = composed("stage=fine", "task=coco", "experiment=demo", "tuning=linear_probe")
    with simulated(on_gpu=False), torch.device("meta"):
        parts = parameters_by_part(task_builder(config, PUBLISHED)().model)
    assert {part for part, count in parts.items() if count.trained} == {"head"}
    # Box, centerness and text layers of 64 channels and 64 text channels, the scales, biases and the temperature.
    assert parts["head"].trained == (4 * 64 + 4) + (64 + 1) + (64 * 64 + 64) + 5 + 64 + 1 + 1


def test_every_task_that_trains_can_be_planned() -> None:
    assert set(TASKS) == set(RECIPES)


@pytest.fixture(scope="module")
def plan() -> Plan:
    """A demo on two H100."""
    return planned(2)


def planned(devices: int, *overrides: str, **trainer: object) -> Plan:
    config = composed("stage=coarse", "experiment=demo", "objective.queue_size=64", *overrides)
    settings = replace(TrainerConfig(batch_size=32), **trainer)  # type: ignore[arg-type]
    return make_plan(config, settings, Devices(devices, ACCELERATORS["h100"], 0.4, 0.9), PUBLISHED, size=None)


def test_time_follows_from_operations_and_the_peak(plan: Plan) -> None:
    assert plan.samples_per_second == pytest.approx(2 * 0.4 * 989e12 / plan.alternatives[0].step_flops)
    assert plan.hours is not None and plan.samples_per_second is not None
    assert plan.hours == pytest.approx(700 * 64 / plan.samples_per_second / 3600)
    assert plan.accumulation == 1


def test_the_largest_batch_fills_the_memory(plan: Plan) -> None:
    for one in plan.alternatives:
        assert one.largest_batch is not None and one.dividing_batch == 32
        sample = (one.memory.activations + one.memory.gathered) / 32
        filled = one.memory.total + (one.largest_batch - 32) * sample
        assert filled == pytest.approx(0.9 * 80 * 2**30, rel=0.05)
    kept, again = (one.largest_batch for one in plan.alternatives)
    assert kept is not None and again is not None and kept < again


def test_shards_divide_the_state_and_not_the_activations(plan: Plan) -> None:
    sharded = planned(4, strategy=Strategy.FSDP, batch_size=16)
    assert 4 * sharded.alternatives[0].memory.optimizer == pytest.approx(plan.alternatives[0].memory.optimizer)
    assert sharded.alternatives[0].memory.gathered > plan.alternatives[0].memory.gathered


def test_what_cannot_be_planned_is_an_error_in_words(plan: Plan) -> None:
    with pytest.raises(UserError, match="cannot be split over 3 devices"):
        planned(3)
    with pytest.raises(UserError, match=r"trainer\.precision=64-true"):
        planned(2, precision="64-true")
    with pytest.raises(UserError, match="gpu=h1000 is not known: give one of b200, h200"):
        run_plan(composed("stage=coarse", "experiment=demo", "gpu=h1000"), data=None)
    with pytest.raises(UserError, match="utilization=40"):
        run_plan(composed("stage=coarse", "experiment=demo", "utilization=40"), data=None)


def test_a_driver_s_name_leads_to_the_narrowest_kind() -> None:
    names = ["NVIDIA H100 PCIe", "NVIDIA H100 80GB HBM3", "NVIDIA A10G", "NVIDIA L40S", "Tesla V100-SXM2-16GB", "CPU"]
    found = [accelerator_of(name) for name in names]
    assert [one and one.name for one in found] == ["H100 PCIe", "H100", "A10G", "L40S", "V100-SXM2-16GB", None]


@pytest.mark.gpu
def test_the_peak_on_a_gpu_is_planned_within_a_fifth(tmp_path: Path) -> None:
    output = tmp_path / "plan.json"
    sizes = ["image_size=224", "objective.queue_size=64", "trainer.batch_size=16", "optimization.batch_size=16"]
    run_plan(composed("stage=coarse", *sizes, "gpu=h100", "measure=true", f"output={output}"), data=None)
    record = json.loads(output.read_text())
    kept, measured = record["alternatives"][0], record["measured"]
    planned = kept["memory_bytes_total"] - kept["memory_bytes"]["context"]
    assert planned == pytest.approx(measured["peak_bytes"], rel=0.2)
    assert kept["step_flops_per_sample"] * 16 == pytest.approx(measured["step_flops"], rel=0.02)


def test_figures_are_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "plan.json"
    config = composed("stage=coarse", "task=vqa", "experiment=demo", "optimization.max_steps=null", "gpu=a100")
    config.merge_with({"output": str(output), "vocab_size": 300, "optimization": {"max_epochs": 2}})
    run_plan(config, data="shapes_coarse_vqa")
    printed = capsys.readouterr().out
    assert "1 x A100 at 0.1 of its peak" in printed and max(map(len, printed.splitlines())) <= 100
    record = json.loads(output.read_text())
    assert record["steps"] == 2 * record["num_samples"] // 64
    kept = record["alternatives"][0]
    assert kept["memory_bytes_total"] == pytest.approx(sum(kept["memory_bytes"].values()), abs=8)
