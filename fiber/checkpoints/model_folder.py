"""A model as a folder to hand on: weights, description, tokeniser, recipe, and a card that people read.

model.safetensors   weights by the model's own names
config.json         what the model is: `ModelDescription`
tokenizer/          tokenizer.json
answers.json        of a model that answers questions
config.yaml         the recipe: configuration of the run that trained it
metrics.json        what was measured, if anything was
README.md           the card
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig, OmegaConf
from safetensors.torch import save_file
from torch import nn

from fiber.checkpoints.model_card import model_card
from fiber.checkpoints.model_description import ModelDescription, description_json
from fiber.checkpoints.run_folder import ANSWERS_FILE, CONFIG_FILE, EXPORTED_WEIGHTS, TOKENIZER_FOLDER
from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.tokenization import TextTokenizer

DESCRIPTION_FILE = "config.json"
CARD_FILE = "README.md"
METRICS_FILE = "metrics.json"
"""Of a run, and of a model exported from one."""


class ModelParts(NamedTuple):
    """What such a folder is made of."""

    model: nn.Module
    description: ModelDescription
    tokenizer: TextTokenizer
    answers: AnswerVocabulary | None
    recipe: DictConfig


def write_model_folder(
    parts: ModelParts, folder: Path, *, origin: str, metrics: Mapping[str, float] | None = None
) -> None:
    """Write every file; what the folder has under other names stays.

    Args:
        parts: the model and what belongs to it.
        folder: made if it does not exist.
        origin: where the weights come from, a sentence or more for the card.
        metrics: `<split>/<task>/<metric>` with values.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().cpu().contiguous() for name, value in parts.model.state_dict().items()}
    save_file(weights, folder / EXPORTED_WEIGHTS, metadata={"format": "pt"})
    (folder / DESCRIPTION_FILE).write_text(description_json(parts.description))
    parts.tokenizer.save(folder / TOKENIZER_FOLDER)
    if parts.answers is not None:
        (folder / ANSWERS_FILE).write_text(parts.answers.to_json(), encoding="utf-8")
    OmegaConf.save(parts.recipe, folder / CONFIG_FILE, resolve=True)
    if metrics:
        (folder / METRICS_FILE).write_text(json.dumps(metrics, indent=2) + "\n")
    card = model_card(
        parts.description,
        parts.recipe,
        num_parameters=sum(parameter.numel() for parameter in parts.model.parameters()),
        origin=origin,
        metrics=metrics or {},
    )
    (folder / CARD_FILE).write_text(card, encoding="utf-8")
