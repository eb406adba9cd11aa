"""Directories of runs of the demo, with random weights."""

from pathlib import Path

import torch
from omegaconf import OmegaConf

from fiber.checkpoints.model_kinds import build_model
from fiber.checkpoints.run_description import describe_run

from .golden import write_tokenizer
from .recipes import composed_copy


def write_run(folder: Path, *overrides: str) -> Path:
    """What a run of the demo leaves, with random weights."""
    config = composed_copy("experiment=demo", *overrides)
    config.run_dir = str(folder)
    write_tokenizer(folder / "tokenizer", 40)
    torch.manual_seed(0)
    model = build_model(describe_run(config, vocab_size=40))
    OmegaConf.save(config, folder / "config.yaml", resolve=True)
    (folder / "checkpoints").mkdir()
    state = {f"model.{name}": torch.randn_like(value) for name, value in model.state_dict().items()}
    torch.save({"state_dict": state}, folder / "checkpoints" / "best.ckpt")
    return folder
