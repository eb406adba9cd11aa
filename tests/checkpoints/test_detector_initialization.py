"""A detector from every kind of checkpoint."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader

from fiber.checkpoints.detector_initialization import initialize_detector
from fiber.checkpoints.initialization import InitializationReport, find_checkpoint_file
from fiber.checkpoints.original_coarse import pretraining_names, to_original
from fiber.checkpoints.original_fine import detector_names
from fiber.checkpoints.position_bias import resize_position_bias
from fiber.models.config import FusionConfig
from fiber.models.detector_config import DetectorConfig
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.pretraining_model import FiberForPretraining
from fiber.utils.errors import UserError

from ..parity.fine_fixture import FineFixture

State = dict[str, Tensor]


def scattered(model: nn.Module) -> Any:
    """The model with no two tensors alike."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=generator)
    return model


def make(config: DetectorConfig, **changes: Any) -> GroundedDetector:
    return GroundedDetector(replace(config, **changes))


def own_format(model: nn.Module) -> State:
    return {f"model.{name}": value.clone() for name, value in model.state_dict().items()}


def original_format(model: GroundedDetector) -> State:
    """With what the original keeps besides."""
    extra = {
        "fusion_backbone.backbone.body.layers.0.blocks.0.attn.relative_position_index": torch.zeros(16, 16),
        "fusion_backbone.language_backbone.body.model.embeddings.position_ids": torch.arange(34)[None],
        "rpn.head.cls_logits.weight": torch.zeros(80, 16, 1, 1),
        "rpn.anchor_generator.cell_anchors.0": torch.zeros(1, 4),
    }
    return to_original(model.state_dict(), detector_names(model.config)) | extra


Layout = Callable[[GroundedDetector], State]
both_formats = pytest.mark.parametrize("layout", [own_format, original_format])

WRAPPINGS: dict[str, Callable[[State], Any]] = {
    "run": lambda state: {"epoch": 3, "global_step": 1000, "state_dict": state, "optimizer_states": [{"state": {}}]},
    "original": lambda state: {
        "model": state,
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-5}]},
        "scheduler": {"last_epoch": 1000},
        "iteration": 1000,
        "eval_result": np.float64(0.47),
        "model_ema": {name: value + 1 for name, value in state.items()},
    },
    "processes": lambda state: {"model": {f"module.{name}": value for name, value in state.items()}},
    "bare": lambda state: state,
}


def initialize(model: GroundedDetector, content: Any, folder: Path) -> InitializationReport:
    path = folder / "model.pth"
    torch.save(content, path)
    return initialize_detector(model, path)


def assert_same(model: GroundedDetector, expected: State) -> None:
    for name, value in expected.items():
        assert torch.equal(model.state_dict()[name], value), name


@both_formats
@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
def test_a_detector_holds_all_values_of_every_kind_of_checkpoint(
    tiny_detector_config: DetectorConfig, layout: Layout, wrap: Callable[[State], Any], tmp_path: Path
) -> None:
    source, model = scattered(make(tiny_detector_config)), make(tiny_detector_config)
    report = initialize(model, wrap(layout(source)), tmp_path)
    assert_same(model, source.state_dict())
    assert set(report.loaded) == set(model.state_dict())
    assert (report.resized, report.fresh) == ((), ())
    assert report.is_original == (layout is original_format)
    assert len(report.unused) == (4 if layout is original_format else 0)


@both_formats
def test_position_biases_fit_another_window(
    tiny_detector_config: DetectorConfig, layout: Layout, tmp_path: Path
) -> None:
    source = scattered(make(tiny_detector_config))
    model = make(tiny_detector_config, backbone=tiny_detector_config.backbone.with_window(6))
    report = initialize(model, layout(source), tmp_path)
    assert len(report.resized) == len(model.backbone.image.blocks)
    assert_same(
        model,
        {
            name: resize_position_bias(value, 6) if name in report.resized else value
            for name, value in source.state_dict().items()
        },
    )


def coarse_original(model: FiberForPretraining) -> State:
    return to_original(model.state_dict(), pretraining_names(model.config))


@pytest.mark.parametrize("layout", [own_format, coarse_original])
def test_a_coarse_checkpoint_fills_the_backbone_alone(
    tiny_config: FusionConfig,
    tiny_detector_config: DetectorConfig,
    layout: Callable[[FiberForPretraining], State],
    tmp_path: Path,
) -> None:
    coarse, model = scattered(FiberForPretraining(tiny_config)), make(tiny_detector_config, prompt_offsets=True)
    before = {name: value.clone() for name, value in model.state_dict().items() if not name.startswith("backbone.")}
    report = initialize(model, {"state_dict": layout(coarse)}, tmp_path)
    names = [name for name in model.state_dict() if name.startswith("backbone.")]
    assert_same(model, before | {name: coarse.state_dict()[name] for name in names})
    assert set(report.fresh) == set(before)


def test_the_averaged_weights_of_a_run_are_taken(tiny_detector_config: DetectorConfig, tmp_path: Path) -> None:
    class Task(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = make(tiny_detector_config)

        def training_step(self, batch: Tensor, batch_index: int) -> Tensor:
            return self.model.head.token_bias.sum()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.model.head.parameters(), lr=1.0)

    path = tmp_path / "best.ckpt"

    class Save(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            trainer.save_checkpoint(path)

    trainer = pl.Trainer(
        max_steps=2,
        accelerator="cpu",
        logger=False,
        callbacks=[EMAWeightAveraging(decay=0.75), Save()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(Task(), DataLoader(torch.zeros(2, 1)))  # type: ignore[arg-type]
    model = make(tiny_detector_config)
    assert initialize_detector(model, path).fresh == ()
    # Steps of -1: the average starts at the weights after the first, and the second counts a quarter.
    assert torch.equal(model.head.token_bias, torch.full((16,), -1.25))


def test_prompt_offsets_of_a_run_go_on(tiny_detector_config: DetectorConfig, tmp_path: Path) -> None:
    source = scattered(make(tiny_detector_config, prompt_offsets=True))
    model = make(tiny_detector_config, prompt_offsets=True)
    report = initialize(model, own_format(source), tmp_path)
    assert report.fresh == ()
    assert_same(model, source.state_dict())


def test_prompt_offsets_start_anew_where_there_were_none(tiny_detector_config: DetectorConfig, tmp_path: Path) -> None:
    source, model = scattered(make(tiny_detector_config)), make(tiny_detector_config, prompt_offsets=True)
    report = initialize(model, own_format(source), tmp_path)
    assert (report.fresh, report.resized, report.unused) == (("prompt_offsets",), (), ())
    assert_same(model, source.state_dict() | {"prompt_offsets": torch.zeros(12, 16)})


@pytest.mark.parametrize("places", [9, 15])
def test_prompt_offsets_of_another_text_length_keep_the_places_that_both_have(
    tiny_detector_config: DetectorConfig, places: int, tmp_path: Path
) -> None:
    source = scattered(make(tiny_detector_config, prompt_offsets=True, text_budget=places))
    model = make(tiny_detector_config, prompt_offsets=True)
    report = initialize(model, own_format(source), tmp_path)
    assert (report.fresh, report.resized, report.unused) == ((), ("prompt_offsets",), ())
    offsets = torch.zeros(12, 16)
    offsets[:places] = source.prompt_offsets[:12]
    assert_same(model, source.state_dict() | {"prompt_offsets": offsets})


def test_the_original_has_no_prompt_offsets_of_ours(tiny_detector_config: DetectorConfig, tmp_path: Path) -> None:
    source, model = scattered(make(tiny_detector_config)), make(tiny_detector_config, prompt_offsets=True)
    assert initialize(model, original_format(source), tmp_path).fresh == ("prompt_offsets",)
    assert_same(model, source.state_dict())


def refuse(model: GroundedDetector, content: Any, folder: Path, message: str) -> None:
    """Nothing is loaded, and the message says why."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(UserError, match=message):
        initialize(model, content, folder)
    assert_same(model, before)


def test_a_tuned_prompt_is_not_dropped_in_silence(tiny_detector_config: DetectorConfig, tmp_path: Path) -> None:
    source, model = make(tiny_detector_config, prompt_offsets=True), make(tiny_detector_config)
    message = r"has 1 tensors that this model lacks, model\.prompt_offsets .* set detector\.prompt_offsets=true"
    refuse(model, own_format(source), tmp_path, message)


@both_formats
def test_another_version_of_the_fusion_names_the_option(
    tiny_detector_config: DetectorConfig, layout: Layout, tmp_path: Path
) -> None:
    second, third = (make(tiny_detector_config, query_norm=query_norm) for query_norm in (False, True))
    refuse(third, layout(second), tmp_path, r"lacks 6 tensors of this model, .* Set detector\.query_norm=false")
    refuse(second, layout(third), tmp_path, r"has 6 tensors that this model lacks, .* Set detector\.query_norm=true")


@pytest.mark.parametrize(
    ("layout", "key"),
    [(own_format, "model.head.prior_bias"), (original_format, "rpn.head.bias0")],
)
def test_nothing_is_loaded_where_a_tensor_is_missing(
    tiny_detector_config: DetectorConfig, layout: Layout, key: str, tmp_path: Path
) -> None:
    model = make(tiny_detector_config)
    state = layout(scattered(make(tiny_detector_config)))
    del state[key]
    refuse(model, state, tmp_path, rf"init_from=.*model\.pth lacks 1 tensors of this model, {key} among them")


def test_a_deeper_head_of_a_run_is_refused(tiny_detector_config: DetectorConfig, tmp_path: Path) -> None:
    model, source = make(tiny_detector_config), make(tiny_detector_config, num_blocks=3)
    message = r"tensors that this model lacks, model\.head\.blocks\.2\..* is it a checkpoint of the same model="
    refuse(model, own_format(source), tmp_path, message)


@both_formats
def test_other_sizes_are_refused(tiny_detector_config: DetectorConfig, layout: Layout, tmp_path: Path) -> None:
    model = make(tiny_detector_config)
    wider = make(tiny_detector_config, channels=32)
    refuse(model, layout(wider), tmp_path, r"is \(32, .*, this model's is \(16, ")
    words = make(tiny_detector_config, backbone=tiny_detector_config.backbone.with_vocabulary(70))
    refuse(model, layout(words), tmp_path, r"word\.weight is \(70, 16\), this model's is \(50, 16\).*tokenizer\.path")


def test_a_run_directory_gives_its_best_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    with pytest.raises(UserError, match="holds no checkpoint: give the directory of a run or of an exported model, a "):
        find_checkpoint_file(str(tmp_path))
    (folder / "last.ckpt").touch()
    assert find_checkpoint_file(str(tmp_path)) == folder / "last.ckpt"
    (folder / "best.ckpt").touch()
    assert find_checkpoint_file(str(tmp_path)) == folder / "best.ckpt"


def test_the_released_layout_of_the_original_is_known(shared: Path, tmp_path: Path) -> None:
    """Every name that the original's own model gives its tensors."""
    state = load_file(shared / "golden" / "fine_small" / "reference_state.safetensors")
    model = GroundedDetector(FineFixture(shared / "golden" / "fine_small").config(query_norm=False))
    report = initialize(model, {"model": state, "iteration": 1}, tmp_path)
    assert report.is_original
    assert (report.resized, report.fresh) == ((), ())
    originals = to_original(model.state_dict(), detector_names(model.config))
    assert all(torch.equal(value, state[name]) for name, value in originals.items())
    assert set(report.unused) == set(state) - set(originals)
