"""Exported models of the coarse stage with random weights."""

from pathlib import Path

from omegaconf import OmegaConf

from fiber.checkpoints.model_description import ModelKind
from fiber.checkpoints.model_folder import ModelParts, write_model_folder
from fiber.checkpoints.model_kinds import COARSE_KINDS
from fiber.data.answer_vocabulary import AnswerVocabulary

from ..tiny_config import TINY_CONFIG
from .coarse_models import coarse_description, coarse_model

ANSWERS = ("yes", "no", "red", "2")


def write_model(folder: Path, kind: ModelKind) -> Path:
    """The folder of a model that the tests can ask."""
    answers = AnswerVocabulary(ANSWERS) if kind is ModelKind.QUESTION_ANSWERING else None
    description = coarse_description(kind, TINY_CONFIG, len(ANSWERS) if answers else None)
    model, inputs = coarse_model(kind, TINY_CONFIG, description.num_answers)
    recipe = OmegaConf.create({"stage": {"name": "coarse"}, "task": {"name": COARSE_KINDS[kind].task}})
    parts = ModelParts(model, description, inputs.tokenizer, answers, recipe)
    write_model_folder(parts, folder, origin="Made for a test.")
    return folder
