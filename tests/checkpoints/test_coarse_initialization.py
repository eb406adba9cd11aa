"""A detector's backbone from coarse checkpoints in both formats."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from fiber.checkpoints.detector_initialization import initialize_detector
from fiber.checkpoints.initialization import InitializationReport
from fiber.checkpoints.original_coarse import pretraining_names, to_original
from fiber.checkpoints.original_fine import detector_names
from fiber.checkpoints.position_bias import resize_position_bias
from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig
from fiber.models.detector_config import DetectorConfig
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.pretraining_model import FiberForPretraining
from fiber.utils.errors import UserError

State = dict[str, Tensor]


@pytest.fixture
def coarse(tiny_config: FusionConfig) -> FiberForPretraining:
    """A model of the coarse stage in which no two tensors are alike."""
    torch.manual_seed(1)
    model = FiberForPretraining(tiny_config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


@pytest.fixture
def detector(tiny_detector_config: DetectorConfig) -> GroundedDetector:
    torch.manual_seed(2)
    return GroundedDetector(tiny_detector_config)


def own_format(model: FiberForPretraining) -> State:
    return {f"model.{name}": value for name, value in model.state_dict().items()}


def original_format(model: FiberForPretraining) -> State:
    """With what the original keeps besides."""
    extra = {
        "vit_model.layers.0.blocks.0.attn.relative_position_index": torch.zeros(16, 16, dtype=torch.int64),
        "text_transformer.pooler.dense.weight": torch.zeros(16, 16),
        "text_transformer.encoder.layer.0.alpha_t2i": torch.zeros(1),
    }
    return to_original(model.state_dict(), pretraining_names(model.config)) | extra


def as_run(state: State) -> dict[str, Any]:
    """A checkpoint as Lightning writes it."""
    return {
        "epoch": 3,
        "global_step": 1000,
        "pytorch-lightning_version": "2.6.0",
        "state_dict": state,
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 3}}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5), "dirpath": "x"}},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 1e-4}]}],
        "lr_schedulers": [{"last_epoch": 1000}],
        "hparams_name": "config",
        "hyper_parameters": {"config": {"image_size": 384, "datasets": ["coco", "vg"], "loss_names": {"itm": 1}}},
    }


WRAPPINGS: dict[str, Callable[[State], Any]] = {
    "run": as_run,
    "state_dict": lambda state: {"state_dict": state},
    "model": lambda state: {"model": state, "optimizer": {}},
    "bare": lambda state: state,
    "module": lambda state: {"model": {f"module.{name}": value for name, value in state.items()}},
}


def initialize(model: GroundedDetector, content: Any, folder: Path) -> InitializationReport:
    path = folder / "coarse.ckpt"
    torch.save(content, path)
    return initialize_detector(model, path)


def assert_filled(model: GroundedDetector, coarse: FiberForPretraining) -> None:
    theirs = coarse.backbone.state_dict()
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(value, theirs[name]), name


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
@pytest.mark.parametrize("layout", [own_format, original_format])
def test_the_backbone_holds_the_values_of_every_kind_of_checkpoint(
    detector: GroundedDetector,
    coarse: FiberForPretraining,
    layout: Callable[[FiberForPretraining], State],
    wrap: Callable[[State], Any],
    tmp_path: Path,
) -> None:
    report = initialize(detector, wrap(layout(coarse)), tmp_path)
    assert_filled(detector, coarse)
    assert report.is_original == (layout is original_format)
    assert report.resized == ()


@pytest.mark.parametrize("query_norm", [False, True])
@pytest.mark.parametrize("layout", [own_format, original_format])
def test_the_report_accounts_for_every_tensor(
    tiny_detector_config: DetectorConfig,
    coarse: FiberForPretraining,
    layout: Callable[[FiberForPretraining], State],
    query_norm: bool,
    tmp_path: Path,
) -> None:
    detector = GroundedDetector(replace(tiny_detector_config, query_norm=query_norm))
    state = layout(coarse)
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    report = initialize(detector, state, tmp_path)
    backbone = set(detector.backbone.state_dict())
    assert (set(report.loaded), len(report.loaded)) == (backbone, len(backbone))
    assert {*report.fresh, *(f"backbone.{name}" for name in report.loaded)} == set(detector.state_dict())
    for name in report.fresh:
        assert torch.equal(detector.state_dict()[name], before[name]), name
    names = pretraining_names(coarse.config) if layout is original_format else ()
    used = {part for name in names for part in name.originals if name.ours.removeprefix("backbone.") in backbone}
    used |= {key for key in state if key.removeprefix("model.backbone.") in backbone}
    assert set(report.unused) == set(state) - used
    assert any("norm_i2t_i" in key or "query_norm" in key for key in report.unused) != query_norm
    assert f"{len(backbone)} tensors loaded" in str(report)
    assert len(report.listing().splitlines()) == len(report.loaded) + len(report.fresh) + len(report.unused)


@pytest.mark.parametrize("layout", [own_format, original_format])
def test_position_biases_fit_another_window(
    tiny_detector_config: DetectorConfig,
    coarse: FiberForPretraining,
    layout: Callable[[FiberForPretraining], State],
    tmp_path: Path,
) -> None:
    config = tiny_detector_config.with_backbone(tiny_detector_config.backbone.with_window(6))
    detector = GroundedDetector(config)
    report = initialize(detector, layout(coarse), tmp_path)
    assert len(report.resized) == len(detector.backbone.image.blocks)
    theirs = coarse.backbone.state_dict()
    for name, value in detector.backbone.state_dict().items():
        expected = resize_position_bias(theirs[name], 6) if name in report.resized else theirs[name]
        assert torch.equal(value, expected), name


def test_nothing_is_loaded_where_a_tensor_is_missing(
    detector: GroundedDetector, coarse: FiberForPretraining, tmp_path: Path
) -> None:
    for layout, key in (
        (own_format, "model.backbone.text.layers.3.mlp.2.bias"),
        (original_format, "text_transformer.encoder.layer.3.output.dense.bias"),
    ):
        state = layout(coarse)
        del state[key]
        before = {name: value.clone() for name, value in detector.state_dict().items()}
        with pytest.raises(UserError, match=f"lacks 1 tensors of this model's backbone, {key}"):
            initialize(detector, {"state_dict": state}, tmp_path)
        assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())


def test_a_missing_query_norm_names_the_option(
    tiny_config: FusionConfig, tiny_detector_config: DetectorConfig, tmp_path: Path
) -> None:
    coarse = FiberForPretraining(replace(tiny_config, query_norm=False))
    detector = GroundedDetector(replace(tiny_detector_config, query_norm=True))
    for layout in (own_format, original_format):
        with pytest.raises(UserError, match=r"lacks 6 tensors .* Set detector\.query_norm=false"):
            initialize(detector, layout(coarse), tmp_path)


@pytest.mark.parametrize("layout", [own_format, original_format])
def test_another_vocabulary_points_to_the_tokeniser(
    detector: GroundedDetector,
    tiny_config: FusionConfig,
    layout: Callable[[FiberForPretraining], State],
    tmp_path: Path,
) -> None:
    coarse = FiberForPretraining(tiny_config.with_vocabulary(70))
    with pytest.raises(UserError, match=r"word\.weight is \(70, 16\), this model's is \(50, 16\).*tokenizer\.path"):
        initialize(detector, layout(coarse), tmp_path)


def test_another_width_is_refused(detector: GroundedDetector, tiny_config: FusionConfig, tmp_path: Path) -> None:
    coarse = FiberForPretraining(replace(tiny_config, image=replace(tiny_config.image, embed_dim=16)))
    with pytest.raises(UserError, match=r"projection\.weight is \(16, 3, 4, 4\), this model's is \(8, 3, 4, 4\)"):
        initialize(detector, own_format(coarse), tmp_path)


class Executed:
    """A pickle that would run code."""

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return exec, ("raise SystemExit('a checkpoint was executed')",)


@pytest.mark.parametrize("damage", ["garbage", "empty", "cut", "directory"])
def test_a_damaged_file_is_named(
    detector: GroundedDetector, coarse: FiberForPretraining, damage: str, tmp_path: Path
) -> None:
    path = tmp_path / "coarse.ckpt"
    torch.save({"state_dict": own_format(coarse)}, path)
    content = path.read_bytes()
    if damage == "directory":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"garbage": b"no checkpoint", "empty": b"", "cut": content[: len(content) // 2]}[damage])
    with pytest.raises(UserError, match=rf"init_from={path} is damaged or no checkpoint"):
        initialize_detector(detector, path)


def test_classes_named_beside_the_tensors_need_not_exist(
    detector: GroundedDetector, coarse: FiberForPretraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning before 1.5 keys the state of callbacks by their class."""
    module = ModuleType("no_longer_here")
    callback = type("Callback", (), {"__module__": module.__name__})
    module.Callback = callback  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    path = tmp_path / "coarse.ckpt"
    torch.save(as_run(original_format(coarse)) | {"callbacks": {callback: {"best": 1.0}}}, path)
    monkeypatch.delitem(sys.modules, module.__name__)
    assert initialize_detector(detector, path).is_original
    assert_filled(detector, coarse)


def test_nothing_in_a_checkpoint_is_executed(
    detector: GroundedDetector, coarse: FiberForPretraining, tmp_path: Path
) -> None:
    initialize(detector, as_run(own_format(coarse)) | {"callbacks": Executed()}, tmp_path)
    assert_filled(detector, coarse)
    with pytest.raises(UserError, match="holds no tensors by name"):
        initialize(detector, {"state_dict": Executed()}, tmp_path)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {"a": 1}}, {"state_dict": [1]}, torch.zeros(3)])
def test_a_file_without_tensors_by_name_is_refused(detector: GroundedDetector, content: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no tensors by name"):
        initialize(detector, content, tmp_path)


@pytest.mark.parametrize("content", [{}, {"state_dict": {"weight": torch.zeros(1)}}])
def test_tensors_of_something_else_are_refused(detector: GroundedDetector, content: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lacks \d+ tensors of this model's backbone"):
        initialize(detector, content, tmp_path)


def golden_config(sizes: dict[str, Any], *, query_norm: bool) -> DetectorConfig:
    image = SwinConfig(
        embed_dim=sizes["embed_dim"],
        depths=tuple(sizes["depths"]),
        num_heads=tuple(sizes["num_heads"]),
        window_size=sizes["window_size"],
    )
    text = RobertaConfig(
        hidden_size=sizes["text_hidden"],
        num_layers=sizes["text_layers"],
        num_heads=sizes["text_heads"],
        intermediate_size=sizes["text_intermediate"],
        vocab_size=sizes["vocab_size"],
        max_positions=sizes["max_position_embeddings"],
    )
    backbone = FusionConfig(image=image, text=text, num_fusion_layers=sizes["num_fuse"])
    return DetectorConfig(backbone=backbone, channels=32, num_groups=4, query_norm=query_norm)


@pytest.mark.parametrize("query_norm", [False, True])
def test_the_original_loader_fills_the_same_tensors(shared: Path, query_norm: bool, tmp_path: Path) -> None:
    coarse, fine = (shared / "golden" / f"{stage}_small" for stage in ("coarse", "fine"))
    sizes = json.loads((coarse / "meta.json").read_text())["config"]
    told = json.loads((fine / "meta.json").read_text())["coarse_to_fine"]
    state = load_file(coarse / "reference_state.safetensors")
    config = golden_config(sizes, query_norm=query_norm)
    detector = GroundedDetector(config)
    report = initialize(detector, as_run(state), tmp_path)
    assert report.is_original
    expected = told["loaded"] | (told["additionally_loaded_v3"] if query_norm else {})
    buffers = ("relative_position_index", "position_ids")
    expected = {ours: theirs for ours, theirs in expected.items() if not ours.endswith(buffers)}
    names = detector_names(config)
    originals = to_original(detector.state_dict(), names)
    loaded = {f"backbone.{name}" for name in report.loaded}
    assert {part for name in names if name.ours in loaded for part in name.originals} == set(expected)
    for ours, theirs in expected.items():
        assert torch.equal(originals[ours], state[theirs]), ours
    assert {part for name in names if name.ours in report.fresh for part in name.originals} <= set(told["not_loaded"])
    ends = (*buffers, "attn_mask")
    unused = {key for key in told["coarse_keys_not_used"] if not key.endswith(ends)}
    if query_norm:
        unused -= set(told["additionally_loaded_v3"].values())
    assert {key for key in report.unused if not key.endswith(ends)} == unused
