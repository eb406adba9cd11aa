"""A model from an earlier checkpoint, ours or the original's: what every way of starting shares."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from fiber.checkpoints import original_fine
from fiber.checkpoints.foreign_file import SAFETENSORS
from fiber.checkpoints.foreign_state import Weights, read_foreign_state
from fiber.checkpoints.original_coarse import IMAGE_PREFIX
from fiber.checkpoints.position_bias import resize_position_bias
from fiber.checkpoints.run_folder import find_weights, is_sharded, refuse_sharded
from fiber.checkpoints.state import State
from fiber.utils.errors import UserError

OURS = "model."
"""Beginning of the model's tensors in a checkpoint of a run."""
BACKBONE = "backbone."
"""Beginning of the backbone's tensors in a model."""
ORIGINAL_PREFIXES = (f"{IMAGE_PREFIX}.", f"{original_fine.IMAGE_PREFIX}.")
"""Beginnings of names by which the original's format is known, of either stage."""
EXPECTED = "best.ckpt of a run, or a checkpoint in the original's format"
POSITION_BIAS = "relative_position_bias"


class InitializationReport(NamedTuple):
    """What became of every tensor."""

    source: Path
    is_original: bool
    loaded: tuple[str, ...]
    """Of the model, by our names."""
    resized: tuple[str, ...]
    """Of those, position biases brought to another window size, and prompt offsets to another text length."""
    unused: tuple[str, ...]
    """Of the checkpoint, by its names."""
    fresh: tuple[str, ...]
    """Of the model: what the checkpoint does not have."""

    def __str__(self) -> str:
        kind = "in the original's format" if self.is_original else "of a run"
        return (
            f"initialised from {self.source} ({kind}): {len(self.loaded)} tensors loaded ({len(self.resized)} "
            f"resized), {len(self.fresh)} of the model fresh, {len(self.unused)} of the checkpoint unused"
        )

    def listing(self) -> str:
        """Every tensor by name."""
        parts = {"loaded": self.loaded, "resized": self.resized, "fresh": self.fresh, "unused": self.unused}
        return "\n".join(f"{part}: {name}" for part, names in parts.items() for name in names)


def find_checkpoint_file(init_from: str | None) -> Path | None:
    """The checkpoint that `init_from` names: a file, a run directory whose best one is taken, or an exported model.

    Raises:
        UserError: there is none.
    """
    if init_from is None:
        return None
    path = Path(init_from)
    found = find_weights(path) if path.is_dir() and not is_sharded(path) else path
    if found is None or not found.exists() or (found.is_dir() and not is_sharded(found)):
        raise UserError(
            f"init_from={init_from} holds no checkpoint: give the directory of a run or of an exported model, a "
            "checkpoint file, or null to start without one."
        )
    refuse_sharded(found, key="init_from")
    return found


def read_state(path: Path) -> State:
    """Tensors of a checkpoint by name; nothing in it is executed.

    Of a detector's, the raw ones where it has averaged ones too, as the original starts from.

    Raises:
        UserError: the file cannot be read, or holds no tensors by name.
    """
    tensors = read_foreign_state(path, option="init_from", expected=EXPECTED, weights=Weights.RAW).tensors
    if path.suffix == SAFETENSORS and not any(key.startswith(ORIGINAL_PREFIXES) for key in tensors):
        return {f"{OURS}{name}": value for name, value in tensors.items()}
    return tensors


def is_original(state: State) -> bool:
    """Whether these are the original's names."""
    return any(key.startswith(f"{IMAGE_PREFIX}.") for key in state)


def refuse_missing(missing: Collection[str], path: Path, *, wanted: str = "this model's backbone") -> None:
    """Raise a UserError if the checkpoint lacks tensors of `wanted`."""
    if not missing:
        return
    example = min(missing)
    hint = " Set detector.query_norm=false." if is_query_norm(example) else ""
    raise UserError(
        f"init_from={path} lacks {len(missing)} tensors of {wanted}, {example} among them: is it a checkpoint of the "
        f"same model=...?{hint}"
    )


def is_query_norm(name: str) -> bool:
    """Whether a tensor, by our name or the original's, is what the versions of the fusion differ in."""
    return "query_norm" in name or "norm_i2t_i" in name


def fit(tensors: dict[str, Tensor], own: State, *, window_size: int, path: Path) -> tuple[str, ...]:
    """Bring position biases to the model's window, in place, and return their names.

    Raises:
        UserError: any other tensor has another shape than the model's.
    """
    changed = [name for name, value in tensors.items() if value.shape != own[name].shape]
    resized = tuple(name for name in changed if name.endswith(POSITION_BIAS))
    for name in resized:
        tensors[name] = resize_position_bias(tensors[name], window_size)
    for name in changed:
        if tensors[name].shape != own[name].shape:
            hint = " Give the tokeniser of that run, tokenizer.path=RUN/tokenizer." if "word" in name else ""
            raise UserError(
                f"init_from={path}: {name} is {tuple(tensors[name].shape)}, this model's is {tuple(own[name].shape)}."
                f"{hint}"
            )
    return resized
