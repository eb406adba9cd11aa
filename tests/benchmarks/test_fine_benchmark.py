"""The fine stage's benchmark compares what gives the same detections."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fiber.benchmarks.chunks import ChunkedDetection, benchmark_chunks
from fiber.benchmarks.deformable import KINDS, benchmark_deformable, random_inputs
from fiber.benchmarks.detection_agreement import compare_detections
from fiber.benchmarks.fine_parts import benchmark_fine_parts
from fiber.benchmarks.fine_setting import FineSettings
from fiber.benchmarks.fine_step import FineStep
from fiber.benchmarks.report import Row, append_csv
from fiber.benchmarks.timing import Timing
from fiber.detection.postprocessing import Detections
from fiber.models.config import FusionConfig
from fiber.models.deformable_convolution import Sampling
from fiber.models.detector_config import DetectorConfig
from fiber.utils.errors import UserError


@pytest.fixture
def settings(tiny_config: FusionConfig) -> FineSettings:
    text = replace(tiny_config.text, max_positions=66, vocab_size=600)
    return FineSettings(
        detector=DetectorConfig(
            backbone=replace(tiny_config, text=text), channels=16, num_blocks=1, num_groups=4, text_budget=64
        ),
        image_height=64,
        image_width=96,
        batch_size=2,
        text_length=12,
        boxes_per_image=3,
        device="cpu",
        autocast=False,
    )


def test_cached_trunks_give_the_detections_of_whole_passes(settings: FineSettings) -> None:
    larger = replace(settings, image_height=192, image_width=256)
    detection = ChunkedDetection(larger, num_classes=20, classes_per_prompt=6)
    assert len(detection.chunks) >= 4
    found = {name: way() for name, way in detection.ways().items()}
    reference = found["encoded anew"]
    assert len(reference.labels) > 20
    assert len(set(reference.labels.tolist())) > 1
    for name, one in found.items():
        agreement = compare_detections(one, reference)
        assert agreement.num_unpaired == 0, (name, str(agreement))
        assert agreement.box_difference < 1e-3, (name, str(agreement))
        assert agreement.score_difference < 1e-4, (name, str(agreement))


def test_chunks_are_timed_in_every_way(settings: FineSettings) -> None:
    rows, agreement = benchmark_chunks(settings, num_classes=8, classes_per_prompt=4, repeats=2, warmup=0)
    assert [row.variant for row in rows] == list(agreement)
    assert all(len(row.timing.seconds) == 2 for row in rows)


def test_agreement_counts_what_only_one_has() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    first = Detections(boxes, torch.tensor([0.9, 0.8]), torch.tensor([0, 1]))
    second = Detections(boxes + 0.01, torch.tensor([0.9, 0.7]), torch.tensor([0, 2]))
    agreement = compare_detections(first, second)
    assert (agreement.num_paired, agreement.num_unpaired) == (1, 2)
    assert agreement.box_difference == pytest.approx(0.01, rel=1e-3)
    nothing = Detections(boxes[:0], torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    assert compare_detections(first, nothing).num_unpaired == 2


def test_both_forms_of_the_deformable_convolution_compute_the_same(settings: FineSettings) -> None:
    torch.manual_seed(0)
    x, offsets, mask, weight, bias = inputs = random_inputs(settings, level=0, stride=2)
    outputs = [kind(x, Sampling(offsets, mask), weight, bias, stride=2) for kind in KINDS.values()]
    assert torch.allclose(*outputs, atol=1e-5)
    first, second = (torch.autograd.grad(output.square().sum(), inputs) for output in outputs)
    assert all(torch.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in zip(first, second, strict=True))
    rows = benchmark_deformable(settings, repeats=1, warmup=0)
    assert {row.variant for row in rows} == set(KINDS)


def test_a_step_reaches_every_part_of_the_detector(settings: FineSettings) -> None:
    step = FineStep(settings)
    step()
    for name in ("backbone.image.patch_embedding.projection.weight", "pyramid.lateral.0.weight", "head.box.weight"):
        gradient = step.model.get_parameter(name).grad
        assert gradient is not None, name
        assert gradient.abs().sum() > 0, name


def test_parts_are_those_of_inference(settings: FineSettings) -> None:
    rows = benchmark_fine_parts(settings, repeats=1, warmup=0)
    names = [row.part.removeprefix("fine inference ") for row in rows]
    assert names == ["encode_image", "encode_text", "fuse", "pyramid", "head", "post-processing", "all"]
    assert all(row.flops for row in rows if not row.part.endswith("post-processing"))


def test_ratios_are_taken_round_by_round() -> None:
    slow, fast = Timing((2.0, 8.0, 3.0)), Timing((1.0, 4.0, 1.5))
    assert slow.over(fast).seconds == (2.0, 2.0, 2.0)


def test_rows_go_under_the_columns_that_are_there(tmp_path: Path) -> None:
    row = Row(part="a", variant="b", timing=Timing((1.0,)), image_size="64 x 96", samples=2)
    path = tmp_path / "all.csv"
    for _ in range(2):
        append_csv([row], {"swin": "8-1"}, path)
    read = list(csv.DictReader(path.open()))
    assert [(one["image_size"], one["batch_size"], one["swin"]) for one in read] == [("64 x 96", "2", "8-1")] * 2
    with pytest.raises(UserError, match="columns"):
        append_csv([row], {"other": 1}, path)
