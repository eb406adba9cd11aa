"""Published Swin and RoBERTa weights for the two halves of the backbone."""

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import timm
from torch import Tensor, nn
from transformers import AutoModel

from fiber.checkpoints.foreign_state import read_foreign_state
from fiber.checkpoints.original_coarse import (
    IMAGE_PREFIX,
    TEXT_PREFIX,
    TensorName,
    from_original,
    image_names,
    text_names,
)
from fiber.checkpoints.position_bias import resize_position_bias
from fiber.checkpoints.state import State
from fiber.models.config import FusionConfig
from fiber.models.fusion_backbone import FusionBackbone
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)

CROSS_ATTENTION = ".cross_attention."
WORDS = "text_transformer.embeddings.word_embeddings.weight"
TIMM_MERGE = re.compile(r"^layers\.(\d+)\.downsample\.")


class LoadReport(NamedTuple):
    """What became of the tensors of a published model."""

    loaded: tuple[str, ...]
    """Our names."""
    resized: tuple[str, ...]
    """Of those, position biases brought to another window size."""
    fresh: tuple[str, ...]
    """Our tensors that no published model has: the cross-attention."""
    ignored: tuple[str, ...]
    """Their tensors that have no place here, such as a classifier."""

    def __str__(self) -> str:
        return (
            f"{len(self.loaded)} tensors loaded ({len(self.resized)} resized), {len(self.fresh)} "
            f"of the cross-attention fresh, {len(self.ignored)} of theirs ignored: {', '.join(self.ignored) or 'none'}"
        )


def load_pretrained_image(backbone: FusionBackbone, name_or_path: str) -> LoadReport:
    """Fill the image half from a Swin Transformer.

    Args:
        backbone: changed in place.
        name_or_path: timm's name (`swin_base_patch4_window12_384.ms_in22k`), or a local file in timm's layout or in
            that of the Swin release (top-level key `model`).

    Raises:
        UserError: it cannot be had, or it is another architecture.
    """
    if Path(name_or_path).exists():
        state = read_weights("model.pretrained_image", Path(name_or_path))
    else:
        state = download("model.pretrained_image", name_or_path, timm_weights)
    return fill_image(backbone, state, source=f"model.pretrained_image={name_or_path}")


def fill_image(backbone: FusionBackbone, state: State, *, source: str) -> LoadReport:
    """Fill the image half from a state dict in timm's or the Swin release's layout.

    Args:
        backbone: changed in place.
        state: the Swin Transformer's.
        source: option and file that it is from, for messages.

    Raises:
        UserError: it is another architecture.
    """
    return fill(backbone, as_image_half(state), image_names, source)


def as_image_half(state: State) -> State:
    """A Swin in timm's or its release's layout, by the original's names of the image half."""
    if "layers.0.downsample.norm.weight" not in state:
        state = {TIMM_MERGE.sub(earlier_stage, key): value for key, value in state.items()}
    return {f"{IMAGE_PREFIX}.{key}": value for key, value in state.items()}


def load_pretrained_text(backbone: FusionBackbone, name_or_path: str) -> LoadReport:
    """Fill the text half from a RoBERTa.

    Args:
        backbone: changed in place.
        name_or_path: a name of the hub (`roberta-base`), or a local directory or file of its weights.

    Raises:
        UserError: it cannot be had, or it is another architecture or vocabulary.
    """
    path = Path(name_or_path)
    if path.exists():
        state = read_weights("model.pretrained_text", find_text_file("model.pretrained_text", path))
    else:
        state = download("model.pretrained_text", name_or_path, transformers_weights)
    return fill_text(backbone, state, source=f"model.pretrained_text={name_or_path}")


def find_text_file(key: str, path: Path) -> Path:
    """Weights in a directory as transformers saves them, or the file itself.

    Raises:
        UserError: the directory holds none.
    """
    files = [path / "model.safetensors", path / "pytorch_model.bin"] if path.is_dir() else [path]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise UserError(
            f"{key}={path} holds neither {files[0].name} nor {files[-1].name}: give a directory that transformers' "
            "save_pretrained wrote, or a file of weights."
        )
    return found


def as_text_half(state: State) -> State:
    """A RoBERTa in transformers' layout, by the original's names of the text half."""
    return {f"{TEXT_PREFIX}.{key.removeprefix('roberta.')}": value for key, value in state.items()}


def fill_text(backbone: FusionBackbone, state: State, *, source: str) -> LoadReport:
    """Fill the text half from a state dict in transformers' layout.

    Args:
        backbone: changed in place.
        state: the RoBERTa's.
        source: option and file that it is from, for messages.

    Raises:
        UserError: it is another architecture or vocabulary.
    """
    state = as_text_half(state)
    vocab_size = backbone.config.text.vocab_size
    if WORDS in state and len(state[WORDS]) != vocab_size:
        raise UserError(
            f"{source} knows {len(state[WORDS])} tokens, the tokeniser {vocab_size}: give "
            "the tokeniser of the same model, tokenizer=roberta tokenizer.path=PATH, or model.pretrained_text=null."
        )
    return fill(backbone, state, text_names, source)


def timm_weights(name: str) -> State:
    model: nn.Module = timm.create_model(name, pretrained=True)
    return model.state_dict()


def transformers_weights(name: str) -> State:
    model: nn.Module = AutoModel.from_pretrained(name, add_pooling_layer=False)
    return model.state_dict()


def earlier_stage(match: re.Match[str]) -> str:
    """timm keeps a patch merging at the start of the stage it leads to, Swin at the end of the one before."""
    return f"layers.{int(match.group(1)) - 1}.downsample."


def download(key: str, name: str, load: Callable[[str], State]) -> State:
    """Weights from the hub."""
    try:
        return load(name)
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{key}={name} is no local file, and the hub does not give it ({type(error).__name__}). Without a network "
            f"give {key}=PATH to a downloaded file, or {key}=null to start from random weights."
        ) from error


def read_weights(key: str, path: Path) -> State:
    """Tensors of the local file that option `key` names; nothing in it is executed."""
    return read_foreign_state(path, option=key, expected="a .safetensors, .pth or .bin file of tensors by name").tensors


def fill(
    backbone: FusionBackbone, state: State, names_of: Callable[[FusionConfig], Iterator[TensorName]], source: str
) -> LoadReport:
    """Load what `names_of` the backbone lists; only the cross-attention may be missing."""
    own = {f"backbone.{key}" for key in backbone.state_dict()}  # a detector's backbone has no final image norm
    listed = tuple(name for name in names_of(backbone.config) if name.ours in own)
    names = tuple(name for name in listed if CROSS_ATTENTION not in name.ours)
    used = {original for name in names for original in name.originals}
    missing = sorted(used - set(state))
    if missing:
        raise UserError(
            f"{source} lacks {len(missing)} tensors of this model, {missing[0]} among them: give a whole file, of an "
            "architecture with as many layers."
        )
    ours = {key.removeprefix("backbone."): value for key, value in from_original(state, names, where=source).items()}
    resized = fit(ours, backbone, source)
    backbone.load_state_dict(ours, strict=False)
    report = LoadReport(
        loaded=tuple(ours),
        resized=resized,
        fresh=tuple(name.ours.removeprefix("backbone.") for name in listed if CROSS_ATTENTION in name.ours),
        ignored=tuple(sorted(set(state) - used)),
    )
    log.info("%s: %s", source, report)
    return report


def fit(tensors: dict[str, Tensor], backbone: FusionBackbone, source: str) -> tuple[str, ...]:
    """Bring position biases to the backbone's window, in place, and return their names.

    Raises:
        UserError: any other tensor has another shape than the backbone's.
    """
    own = backbone.state_dict()
    resized = tuple(key for key, value in tensors.items() if is_bias(key) and value.shape != own[key].shape)
    for key in resized:
        tensors[key] = resize_position_bias(tensors[key], backbone.config.image.window_size)
    for key, value in tensors.items():
        if value.shape != own[key].shape:
            raise UserError(
                f"{source}: {key} is {tuple(value.shape)}, this model's {tuple(own[key].shape)}: give a file of an "
                "architecture with the same widths."
            )
    return resized


def is_bias(key: str) -> bool:
    """Whether this is a relative position bias table."""
    return key.endswith("relative_position_bias")
