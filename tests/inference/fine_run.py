"""Directories of fine runs with random weights."""

from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from fiber.checkpoints.model_configs import build_detector_config
from fiber.data.shapes.corpus import shapes_corpus
from fiber.data.tokenization import train_tokenizer
from fiber.models.grounded_detector import GroundedDetector

CONFIGS = Path(__file__).parents[2] / "configs"
SHORT_SIDE = 64
"""To which these runs resize what they validate on."""


def composed(name: str, *overrides: str, folder: Path = CONFIGS) -> DictConfig:
    with initialize_config_dir(str(folder), version_base="1.3"):
        return compose(name, overrides=list(overrides))


def write_run(folder: Path, *overrides: str) -> Path:
    """What a fine run of the demo leaves, with weights that give every word to every cell about as likely as not."""
    settings = ("detector.prompt_offsets=false", f"data.val_short_side={SHORT_SIDE}", f"run_dir={folder}", *overrides)
    config = composed("train", "stage=fine", "experiment=demo", *settings)
    tokenizer = train_tokenizer(shapes_corpus(), 400)
    torch.manual_seed(0)
    model = GroundedDetector(build_detector_config(config, vocab_size=tokenizer.vocab_size))
    torch.nn.init.zeros_(model.head.prior_bias)
    (folder / "checkpoints").mkdir(parents=True)
    OmegaConf.save(config, folder / "config.yaml", resolve=True)
    tokenizer.save(folder / "tokenizer")
    save_checkpoint(model, folder / "checkpoints" / "best.ckpt")
    return folder


def save_checkpoint(model: torch.nn.Module, path: Path) -> None:
    """The part of a run's checkpoint that holds the model."""
    torch.save({"state_dict": {f"model.{name}": value for name, value in model.state_dict().items()}}, path)
