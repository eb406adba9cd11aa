"""A model as a folder to hand on: weights, description, tokeniser, recipe, and a card that people read.

model.safetensors   weights by the model's own names
config.json         what the model is: `ModelDescription`, and where it comes from
tokenizer/          tokenizer.json
answers.json        of a model that answers questions
config.yaml         the recipe: configuration of the run that trained it, without what is of its machine
metrics.json        what was measured, if anything was
conversion.json     of a converted model: what became of every tensor of the file that it came from
original_extra.safetensors      tensors of that file that the model does not have
README.md           the card
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from torch import nn

from fiber.checkpoints.model_card import model_card
from fiber.checkpoints.model_description import ModelDescription, description_json
from fiber.checkpoints.published_recipe import published_recipe
from fiber.checkpoints.run_folder import (
    ANSWERS_FILE,
    CONFIG_FILE,
    EXPORTED_WEIGHTS,
    METRICS_FILE,
    TOKENIZER_FOLDER,
    checkpoint_folder,
)
from fiber.checkpoints.tensor_file import write_tensors
from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.tokenization import TextTokenizer
from fiber.utils.errors import UserError

DESCRIPTION_FILE = "config.json"
CARD_FILE = "README.md"
RECORD_FILES = ("conversion.json", "original_extra.safetensors")
"""From which the file that a model was converted from can be written again."""


@dataclass(frozen=True)
class ModelParts:
    """What such a folder is made of."""

    model: nn.Module
    description: ModelDescription
    tokenizer: TextTokenizer
    answers: AnswerVocabulary | None
    """Of a model that answers questions."""
    recipe: DictConfig
    """Configuration of the run that trained it."""


def write_model_folder(
    parts: ModelParts,
    folder: Path,
    *,
    origin: str,
    metrics: Mapping[str, float] | None = None,
    records: Path | None = None,
) -> None:
    """Write every file, in place of those of an earlier model; what the folder has under other names stays.

    Args:
        parts: the model and what belongs to it.
        folder: made if it does not exist.
        origin: where the weights come from, a sentence or more for the card.
        metrics: `<split>/<task>/<metric>` with values.
        records: a folder whose records of a conversion are taken over, if it has any.

    Raises:
        UserError: the folder is that of a run, or a file.
    """
    make_folder(folder)
    replace_records(folder, records)
    for name in (ANSWERS_FILE, METRICS_FILE):
        (folder / name).unlink(missing_ok=True)
    weights = {name: value.detach().cpu().contiguous() for name, value in parts.model.state_dict().items()}
    write_tensors(weights, folder / EXPORTED_WEIGHTS, metadata={"format": "pt"})
    (folder / DESCRIPTION_FILE).write_text(description_json(parts.description, origin=origin))
    parts.tokenizer.save(folder / TOKENIZER_FOLDER)
    if parts.answers is not None:
        (folder / ANSWERS_FILE).write_text(parts.answers.to_json(), encoding="utf-8")
    OmegaConf.save(published_recipe(parts.recipe), folder / CONFIG_FILE)
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


def make_folder(folder: Path) -> None:
    """Make the folder if it does not exist.

    Raises:
        UserError: it cannot be one, or it is that of a run, which would be found instead of the model.
    """
    if checkpoint_folder(folder).exists():
        raise UserError(f"{folder} is the directory of a run: give another folder for the model.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"{folder} cannot be a folder, there is a file: give another folder for the model.") from error


def replace_records(folder: Path, source: Path | None) -> None:
    """Have the records of `source`, which may be the folder itself, and no others."""
    for name in RECORD_FILES:
        file, other = folder / name, source / name if source is not None else None
        if other is None or not other.is_file():
            file.unlink(missing_ok=True)
        elif not (file.exists() and file.samefile(other)):
            shutil.copyfile(other, file)
