"""Directories of runs of the demo, with random weights."""

from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from fiber.checkpoints.model_kinds import build_model
from fiber.checkpoints.run_description import describe_run
from fiber.conversion.recipe import CONFIGS

from .golden import write_tokenizer


def write_run(folder: Path, *overrides: str) -> Path:
    """What a run of the demo leaves, with random weights."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("train", overrides=["experiment=demo", f"run_dir={folder}", *overrides])
    write_tokenizer(folder / "tokenizer", 40)
    torch.manual_seed(0)
    model = build_model(describe_run(config, vocab_size=40))
    OmegaConf.save(config, folder / "config.yaml", resolve=True)
    (folder / "checkpoints").mkdir()
    state = {f"model.{name}": torch.randn_like(value) for name, value in model.state_dict().items()}
    torch.save({"state_dict": state}, folder / "checkpoints" / "best.ckpt")
    return folder
