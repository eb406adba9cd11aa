"""Where a run, or a model exported from one, keeps what belongs to its model."""

from pathlib import Path

from fiber.utils.errors import UserError

CONFIG_FILE = "config.yaml"
TOKENIZER_FOLDER = "tokenizer"
ANSWERS_FILE = "answers.json"
"""The vocabulary of a model that answers questions."""
METRICS_FILE = "metrics.json"
"""What was measured: `<split>/<task>/<metric>` with values."""
LAST = "last.ckpt"
BEST = "best.ckpt"
EXPORTED_WEIGHTS = "model.safetensors"
"""Weights of an exported model, in the folder itself."""
SHARDED_META = "meta.pt"
"""File of a sharded checkpoint that holds everything but tensors."""


CONSOLIDATE = "python -m torch.distributed.checkpoint.format_utils dcp_to_torch"


def checkpoint_folder(run_dir: Path) -> Path:
    return run_dir / "checkpoints"


def find_weights(folder: Path) -> Path | None:
    """Weights in the directory of a run (the best, else the last) or of an exported model."""
    places = [checkpoint_folder(folder) / name for name in (BEST, LAST)]
    return next((place for place in (*places, folder / EXPORTED_WEIGHTS) if place.exists()), None)


def run_of(weights: Path) -> Path:
    """The directory that weights found by `find_weights` belong to."""
    weights = weights.absolute()
    return weights.parent if weights.name == EXPORTED_WEIGHTS else weights.parent.parent


def is_sharded(checkpoint: Path) -> bool:
    """Whether a checkpoint is a folder with a part of every process."""
    return (checkpoint / SHARDED_META).exists()


def refuse_sharded(checkpoint: Path, *, key: str) -> None:
    """Raise a UserError that says how to make one file of a sharded checkpoint, which the option `key` names."""
    if is_sharded(checkpoint):
        whole = checkpoint.with_name(f"{checkpoint.stem}_whole{checkpoint.suffix}")
        raise UserError(
            f"{key}={checkpoint} is sharded over processes: make one file of it with "
            f"`{CONSOLIDATE} {checkpoint} {whole}`, and give {key}={whole}."
        )
