"""Where a run keeps what belongs to its model."""

from pathlib import Path

CONFIG_FILE = "config.yaml"
TOKENIZER_FOLDER = "tokenizer"
LAST = "last.ckpt"
BEST = "best.ckpt"
SHARDED_META = "meta.pt"
"""File of a sharded checkpoint that holds everything but tensors."""


def checkpoint_folder(run_dir: Path) -> Path:
    return run_dir / "checkpoints"
