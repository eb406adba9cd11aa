"""Detectors of the original's fine stage: there and back, and what they compute on the way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fiber.checkpoints.detector_initialization import initialize_detector
from fiber.checkpoints.model_description import DetectorDescription
from fiber.conversion.converting import convert
from fiber.conversion.key_report import DropReason, KeyReport
from fiber.inference.model_loading import load_model
from fiber.models.detector_config import ChannelOrder
from fiber.models.grounded_detector import GroundedDetector
from fiber.utils.errors import UserError

from ..parity.comparison import OUTPUT_TOLERANCE, largest_difference
from ..parity.fine_fixture import FineFixture
from .golden import State, assert_same, converting, write_tokenizer, written


@pytest.fixture
def fine(shared: Path) -> FineFixture:
    return FineFixture(shared / "golden" / "fine_small")


def single(state: State) -> State:
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def convert_golden(fine: FineFixture, source: Path, output: Path, *overrides: str) -> KeyReport:
    sizes = fine.meta["config"]
    tokenizer = write_tokenizer(output.parent / "words", sizes["vocab_size"])
    told = (f"text_heads={sizes['text_heads']}", f"max_text_length={sizes['max_query_len']}")
    return convert(converting(f"input={source}", f"output={output}", f"tokenizer.path={tokenizer}", *told, *overrides))


@pytest.mark.parametrize("version", [2, 3])
def test_a_detector_of_either_version_predicts_as_the_original_and_comes_back_as_it_was(
    fine: FineFixture, version: int, tmp_path: Path
) -> None:
    state = single(fine.state if version == 2 else fine.third_state)
    averaged, raw = ({f"module.{name}": value + shift for name, value in state.items()} for shift in (0, 1))
    content = {"model": raw, "model_ema": averaged, "optimizer": {"state": {}}, "scheduler": {}, "iteration": 7}
    torch.save(content, tmp_path / "detector.pth")
    report = convert_golden(fine, tmp_path / "detector.pth", tmp_path / "model")
    assert len(report.dropped[DropReason.OTHER_WEIGHTS]) == len(state)
    assert report.parts == ("optimizer", "scheduler", "iteration")

    loaded = load_model(tmp_path / "model")
    description = loaded.description
    assert isinstance(description, DetectorDescription)
    assert description.detector == replace(
        fine.config(query_norm=version == 3),
        channel_order=ChannelOrder.BGR,
        backbone=description.detector.backbone,
    )
    sizes = fine.config(query_norm=True).backbone
    assert description.backbone == replace(sizes, projection_size=sizes.text.hidden_size, query_norm=version == 3)
    assert (description.short_side, description.max_side) == (800, 1333)
    model: Any = loaded.model.double()
    with torch.no_grad():
        image = model.encode_image(fine.io["in/images"].flip(1))  # the fixture holds what the patch embedding reads
        fused = model.backbone.fuse(image, model.encode_text(fine.io["in/input_ids"], fine.mask))
        levels = model.pyramid(model.stage_features(fused))
        logits = model.head(levels, fused.text, fused.text_mask).token_logits
    found = {"text/hidden": fused.text, **{f"fpn/P{3 + index}": level for index, level in enumerate(levels)}}
    for name, value in found.items():
        expected = fine.io[f"{'v3/' if version == 3 else ''}out/{name}"]
        assert largest_difference(value, expected) <= OUTPUT_TOLERANCE, name
    if version == 2:  # the fixture has the head's results of this one alone
        expected = fine.io["out/head/dot_product_logits/P3"]
        assert largest_difference(logits[:, : expected.shape[1]], expected) <= OUTPUT_TOLERANCE

    convert(converting(f"input={tmp_path / 'model'}", f"output={tmp_path / 'back.pth'}", "to=reference"))
    back = written(tmp_path / "back.pth")
    assert set(back) == {"model", "model_ema"}
    assert_same(back["model"], raw)
    assert_same(back["model_ema"], averaged)


def test_training_from_the_folder_begins_as_from_the_original_file(fine: FineFixture, tmp_path: Path) -> None:
    torch.save(single(fine.state), tmp_path / "bare.pth")
    convert_golden(fine, tmp_path / "bare.pth", tmp_path / "model")
    states = []
    for path in (tmp_path / "bare.pth", tmp_path / "model" / "model.safetensors"):
        model = GroundedDetector(fine.config(query_norm=False))
        initialize_detector(model, path)
        states.append(model.state_dict())
    assert_same(states[1], states[0])


def test_one_fusion_version_is_not_taken_for_the_other(fine: FineFixture, tmp_path: Path) -> None:
    torch.save({"model": single(fine.state)}, tmp_path / "v2.pth")
    torch.save({"model": single(fine.third_state)}, tmp_path / "v3.pth")
    with pytest.raises(UserError, match=r"v2\.pth lacks norms .*is of fusion version 2 .*Leave query_norm=True out"):
        convert_golden(fine, tmp_path / "v2.pth", tmp_path / "model", "query_norm=true")
    with pytest.raises(UserError, match=r"v3\.pth has norms .*is of fusion version 3 .*Leave query_norm=False out"):
        convert_golden(fine, tmp_path / "v3.pth", tmp_path / "model", "query_norm=false")
    assert not (tmp_path / "model").exists()
    state = single(fine.third_state)
    del state[min(name for name in state if "norm_i2t_i" in name)]
    torch.save({"model": state}, tmp_path / "half.pth")
    with pytest.raises(UserError, match=r"half\.pth lacks 1 tensors of its model, .*norm_i2t_i"):
        convert_golden(fine, tmp_path / "half.pth", tmp_path / "model")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rpn.anchor_generator.cell_anchors.0", torch.zeros(4), r"has shape \(4,\), not 2 axes"),
        ("rpn.anchor_generator.cell_anchors.0", torch.tensor([[9.0, 9, 0, 0]]), r"is \[\[9\.0, .*, not one box"),
        (
            "rpn.head.scales.1.scale",
            torch.tensor(1.0),
            r"is of mixed sizes: rpn\.head\.scales\.0.* are \(1,\), \(\)",
        ),
    ],
)
def test_odd_tensors_of_a_detector_are_named(
    fine: FineFixture, name: str, value: torch.Tensor, message: str, tmp_path: Path
) -> None:
    torch.save(single(fine.state) | {name: value}, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=rf"input=.*odd\.pth.*{message}"):
        convert_golden(fine, tmp_path / "odd.pth", tmp_path / "model")


def test_options_of_a_detector_are_checked(fine: FineFixture, tmp_path: Path) -> None:
    torch.save(single(fine.state), tmp_path / "bare.pth")
    with pytest.raises(UserError, match=r"task=vqa is of the coarse stage, input=.*bare\.pth holds a detector"):
        convert_golden(fine, tmp_path / "bare.pth", tmp_path / "model", "task=vqa")
    with pytest.raises(UserError, match="image_size=0: give the shorter side"):
        convert_golden(fine, tmp_path / "bare.pth", tmp_path / "model", "image_size=0")
