"""Files of published Swin Transformers and RoBERTas, with random weights."""

import torch
from torch import Tensor

from fiber.checkpoints.original_coarse import image_names, text_names, to_original
from fiber.models.config import FusionConfig
from fiber.models.fusion_backbone import FusionBackbone

State = dict[str, Tensor]


def swin_release(config: FusionConfig) -> State:
    """Random weights as the Swin release stores them, with its buffers and classifier."""
    torch.manual_seed(1)
    own = {f"backbone.{key}": torch.randn_like(value) for key, value in FusionBackbone(config).state_dict().items()}
    state = {key.removeprefix("vit_model."): v for key, v in to_original(own, tuple(image_names(config))).items()}
    plain = {key: value for key, value in state.items() if "i2t" not in key}
    return plain | {"head.weight": torch.zeros(3, 64), "layers.0.blocks.0.attn.relative_position_index": torch.zeros(4)}


def timm_layout(state: State) -> State:
    """Patch mergings at the start of the next stage."""
    for stage in (2, 1, 0):
        state = {key.replace(f"layers.{stage}.down", f"layers.{stage + 1}.down"): v for key, v in state.items()}
    return state


def roberta(config: FusionConfig) -> State:
    """Random weights under transformers' names."""
    torch.manual_seed(1)
    own = {f"backbone.{key}": torch.randn_like(value) for key, value in FusionBackbone(config).state_dict().items()}
    state = {key.removeprefix("text_transformer."): v for key, v in to_original(own, tuple(text_names(config))).items()}
    return {key: value.clone() for key, value in state.items() if "t2i" not in key}
