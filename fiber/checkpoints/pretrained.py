"""Published Swin and RoBERTa weights for the two halves of the backbone."""

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModel

from fiber.checkpoints.original_coarse import TensorName, from_original, image_names, text_names
from fiber.checkpoints.position_bias import resize_position_bias
from fiber.models.config import FusionConfig
from fiber.models.fusion_backbone import FusionBackbone
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)

CROSS_ATTENTION = ".cross_attention."
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
        state = read_weights(Path(name_or_path))
    else:
        state = download("model.pretrained_image", name_or_path, timm_weights)
    return fill_image(backbone, state, source=name_or_path)


def fill_image(backbone: FusionBackbone, state: Mapping[str, Tensor], *, source: str) -> LoadReport:
    """Fill the image half from a state dict in timm's or the Swin release's layout."""
    if "layers.0.downsample.norm.weight" not in state:
        state = {TIMM_MERGE.sub(earlier_stage, key): value for key, value in state.items()}
    state = {f"vit_model.{key}": value for key, value in state.items()}
    return fill(backbone, state, image_names, backbone.config, source)


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
        files = [path / "model.safetensors", path / "pytorch_model.bin"] if path.is_dir() else [path]
        found = next((file for file in files if file.is_file()), None)
        if found is None:
            raise UserError(f"model.pretrained_text={path} holds neither {files[0].name} nor {files[-1].name}.")
        state = read_weights(found)
    else:
        state = download("model.pretrained_text", name_or_path, transformers_weights)
    state = {f"text_transformer.{key.removeprefix('roberta.')}": value for key, value in state.items()}
    return fill(backbone, state, text_names, backbone.config, name_or_path)


def timm_weights(name: str) -> Mapping[str, Tensor]:
    model: nn.Module = timm.create_model(name, pretrained=True)
    return model.state_dict()


def transformers_weights(name: str) -> Mapping[str, Tensor]:
    model: nn.Module = AutoModel.from_pretrained(name, add_pooling_layer=False)
    return model.state_dict()


def earlier_stage(match: re.Match[str]) -> str:
    """timm keeps a patch merging at the start of the stage it leads to, Swin at the end of the one before."""
    return f"layers.{int(match.group(1)) - 1}.downsample."


def download(key: str, name: str, load: Any) -> Mapping[str, Tensor]:
    """Weights from the hub."""
    try:
        weights: Mapping[str, Tensor] = load(name)
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{key}={name} is no local file, and the hub does not give it ({type(error).__name__}). Without a network "
            f"give {key}=PATH to a downloaded file, or {key}=null to start from random weights."
        ) from error
    return weights


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Tensors of a local file; nothing in it is executed."""
    if path.suffix == ".safetensors":
        return load_file(path)
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    inner: Mapping[str, Tensor] = content.get("model", content.get("state_dict", content))
    return inner


def fill(
    backbone: FusionBackbone, state: Mapping[str, Tensor], names_of: Any, config: FusionConfig, source: str
) -> LoadReport:
    """Load what `names_of` the backbone lists; only the cross-attention may be missing."""
    listed: Iterator[TensorName] = names_of(config)
    names = [name for name in listed if CROSS_ATTENTION not in name.ours]
    missing = [original for name in names for original in name.originals if original not in state]
    if missing:
        raise UserError(
            f"{source} lacks {len(missing)} tensors of this model, {missing[0]} among them: another architecture?"
        )
    ours = {key.removeprefix("backbone."): value for key, value in from_original(state, tuple(names)).items()}
    own = backbone.state_dict()
    resized = tuple(key for key, value in ours.items() if is_bias(key) and value.shape != own[key].shape)
    for key in resized:
        ours[key] = resize_position_bias(ours[key], backbone.config.image.window_size)
    for key, value in ours.items():
        if value.shape != own[key].shape:
            raise UserError(f"{source}: {key} is {tuple(value.shape)}, this model's {tuple(own[key].shape)}.")
    backbone.load_state_dict(ours, strict=False)
    used = {original for name in names for original in name.originals}
    report = LoadReport(
        loaded=tuple(ours),
        resized=resized,
        fresh=tuple(name.ours for name in names_of(config) if CROSS_ATTENTION in name.ours),
        ignored=tuple(sorted(set(state) - used)),
    )
    log.info("%s: %s", source, report)
    return report


def is_bias(key: str) -> bool:
    """Whether this is a relative position bias table."""
    return key.endswith("relative_position_bias")
