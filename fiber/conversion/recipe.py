"""The configuration that goes with converted weights: the recipe by which such a model is trained."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from fiber.checkpoints.model_description import CoarseDescription, DetectorDescription, ModelDescription
from fiber.checkpoints.model_kinds import COARSE_KINDS
from fiber.models.config import FusionConfig
from fiber.models.detector_config import DetectorConfig
from fiber.utils.errors import UserError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
"""Of a checkout; an installed package has none."""
FROM_ELSEWHERE = ("vocab_size", "pad_id", "layer_norm_eps")
"""Of the text's sizes: the tokeniser's, and constants."""
OF_MODEL = ("channels", "num_blocks", "num_groups", "anchor_scale")
OF_RECIPE = ("query_norm", "channel_order", "coarser_sampling")
"""Of the detector's choices, where a configuration has them."""


def compose_recipe(description: ModelDescription, *, tokenizer_path: str, folder: Path) -> DictConfig:
    """The default recipe of the model's task, with the model's sizes.

    Args:
        description: of the model.
        tokenizer_path: of its tokeniser.
        folder: of the model.
    """
    fine = isinstance(description, DetectorDescription)
    task = "pretrain" if isinstance(description, DetectorDescription) else COARSE_KINDS[description.kind].task
    config = composed([f"stage={'fine' if fine else 'coarse'}", f"task={task}"])
    with open_dict(config):
        config.run_dir = str(folder)
        config.tokenizer.path = tokenizer_path
        set_backbone(config, description.backbone)
        if isinstance(description, CoarseDescription):
            config.image_size = description.image_size
            config.max_text_length = description.max_text_length
        else:
            set_detector(config, description.detector)
            config.data.val_short_side = description.short_side
            config.transform.max_side = description.max_side
    return config


def composed(overrides: list[str]) -> DictConfig:
    """The configuration of a training run, also inside of a script that Hydra runs.

    Raises:
        UserError: the library is not in a checkout.
    """
    if not CONFIGS.is_dir():
        raise UserError(f"{CONFIGS} is missing, where recipes are: run scripts/convert_checkpoint.py in a checkout.")
    outer = GlobalHydra.instance().hydra  # compose takes no second one
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            return compose("train", overrides=overrides)
    finally:
        GlobalHydra.instance().hydra = outer


def set_backbone(config: DictConfig, backbone: FusionConfig) -> None:
    """Write sizes into the `model` part, in place; dropout stays the recipe's."""
    values = asdict(backbone)
    image, text = values.pop("image"), values.pop("text")
    for name in ("drop_path", "shrink_window"):
        del image[name]
    for name in ("dropout", *FROM_ELSEWHERE):
        del text[name]
    del values["initializer_std"]
    sizes: dict[str, Any] = {"image": image, "text": text, **values}
    config.model = OmegaConf.merge(config.model, sizes)
    config.model.pretrained_image = None
    config.model.pretrained_text = None


def set_detector(config: DictConfig, detector: DetectorConfig) -> None:
    """Write the detector's sizes and choices, in place."""
    values = asdict(detector)
    for name in OF_MODEL:
        config.model.detector[name] = values[name]
    for name in OF_RECIPE:
        config.detector[name] = values[name]
    config.detector.prompt_offsets = detector.prompt_offsets
    config.max_text_length = detector.text_budget
