"""A trained detector from the directory of its run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from fiber.checkpoints.model_description import DetectorDescription
from fiber.checkpoints.trained_run import find_run_files
from fiber.inference.devices import choose_device
from fiber.inference.model_loading import load_model
from fiber.utils.errors import UserError

from .fine_run import SHORT_SIDE


def test_the_model_has_the_weights_words_and_sizes_of_its_run(fine_run: Path) -> None:
    loaded = load_model(fine_run)
    saved = torch.load(fine_run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    state = loaded.model.state_dict()
    assert len(state) == len(saved)
    assert all(torch.equal(saved[f"model.{name}"], value) for name, value in state.items())
    assert not loaded.model.training
    assert loaded.tokenizer.vocab_size == loaded.model.config.backbone.text.vocab_size
    description = loaded.description
    assert isinstance(description, DetectorDescription) and loaded.model.config == description.detector
    assert description.detector.text_budget == 40 and description.detector.query_norm
    assert (description.short_side, description.max_side) == (SHORT_SIDE, 1333)


def test_the_best_checkpoint_comes_before_the_last_and_a_file_before_both(own_run: Path) -> None:
    best, last = own_run / "checkpoints" / "best.ckpt", own_run / "checkpoints" / "last.ckpt"
    shutil.copy(best, last)
    assert find_run_files(own_run).checkpoint == best
    assert find_run_files(last).checkpoint == last
    best.unlink()
    assert find_run_files(own_run).checkpoint == last


def remove_checkpoint(run: Path) -> None:
    (run / "checkpoints" / "best.ckpt").unlink()


def remove_config(run: Path) -> None:
    (run / "config.yaml").unlink()


def remove_tokenizer(run: Path) -> None:
    (run / "tokenizer" / "tokenizer.json").unlink()


def foreign_task(run: Path) -> None:
    change_config(run, "stage.name", "coarse")
    change_config(run, "task.name", "refcoco")


def blur_config(run: Path) -> None:
    (run / "config.yaml").write_text("{ stage")


def empty_config(run: Path) -> None:
    (run / "config.yaml").write_text("")


def drop_detector(run: Path) -> None:
    config = OmegaConf.load(run / "config.yaml")
    del config["detector"]
    OmegaConf.save(config, run / "config.yaml")


def widen(run: Path) -> None:
    change_config(run, "model.detector.channels", 32)


def deepen(run: Path) -> None:
    change_config(run, "model.detector.num_blocks", 3)


def cut_checkpoint(run: Path) -> None:
    path = run / "checkpoints" / "best.ckpt"
    path.write_bytes(path.read_bytes()[:5000])


def foreign_checkpoint(run: Path) -> None:
    torch.save({"weights": torch.zeros(2)}, run / "checkpoints" / "best.ckpt")


def shard_checkpoint(run: Path) -> None:
    remove_checkpoint(run)
    (run / "checkpoints" / "best.ckpt").mkdir()
    (run / "checkpoints" / "best.ckpt" / "meta.pt").touch()


def change_config(run: Path, key: str, value: str | int) -> None:
    config = OmegaConf.load(run / "config.yaml")
    OmegaConf.update(config, key, value)
    OmegaConf.save(config, run / "config.yaml")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "checkpoint=.*run does not exist"),
        (remove_checkpoint, "run holds neither checkpoints/best.ckpt or last.ckpt nor model.safetensors"),
        (remove_config, "config.yaml is missing"),
        (remove_tokenizer, "tokenizer.json is missing"),
        (foreign_task, "config.yaml is of stage=coarse task=refcoco, whose model this library cannot load"),
        (blur_config, "config.yaml cannot be read"),
        (empty_config, "is not the configuration of a run"),
        (drop_detector, "config.yaml is not as a run of stage=fine writes it: .*detector"),
        (widen, "best.ckpt does not fit .*config.yaml"),
        (deepen, "best.ckpt does not fit .*config.yaml.* head.blocks.2"),
        (cut_checkpoint, "best.ckpt is damaged or no checkpoint"),
        (foreign_checkpoint, "best.ckpt is no checkpoint of a training run"),
        (shard_checkpoint, "best.ckpt is sharded .*dcp_to_torch .*best.ckpt .*best_whole.ckpt`"),
    ],
)
def test_a_run_that_cannot_be_loaded_is_named_with_its_fault(
    own_run: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(own_run)
    with pytest.raises(UserError, match=message):
        load_model(own_run)


def test_a_checkpoint_outside_of_its_run_is_an_error(fine_run: Path, tmp_path: Path) -> None:
    shutil.copy(fine_run / "checkpoints" / "best.ckpt", tmp_path)
    with pytest.raises(UserError, match=r"config.yaml is missing: leave .* python scripts/convert_checkpoint.py"):
        load_model(tmp_path / "best.ckpt")


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UserError, match="device=tpu: give auto, cpu or cuda"):
        choose_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="device=cuda: PyTorch sees no GPU"):
            choose_device("cuda")
