"""Exported models of the coarse stage with random weights."""

from pathlib import Path

from omegaconf import OmegaConf

from fiber.checkpoints.model_description import CoarseDescription, ModelKind
from fiber.checkpoints.model_folder import ModelParts, write_model_folder
from fiber.checkpoints.model_kinds import COARSE_KINDS
from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig

from .coarse_models import IMAGE_SIZE, TEXT_LENGTH, coarse_model

ANSWERS = ("yes", "no", "red", "2")
CONFIG = FusionConfig(
    image=SwinConfig(embed_dim=8, depths=(1, 1, 3, 1), num_heads=(1, 2, 2, 4), window_size=4, drop_path=0.0),
    text=RobertaConfig(
        hidden_size=16, num_layers=4, num_heads=2, intermediate_size=32, vocab_size=50, max_positions=34, dropout=0.0
    ),
    num_fusion_layers=3,
    projection_size=16,
    initializer_std=0.2,
)


def write_model(folder: Path, kind: ModelKind) -> Path:
    """The folder of a model that the tests can ask."""
    answers = AnswerVocabulary(ANSWERS) if kind is ModelKind.QUESTION_ANSWERING else None
    model, inputs = coarse_model(kind, CONFIG, len(ANSWERS) if answers else None)
    description = CoarseDescription(
        kind=kind,
        backbone=CONFIG.with_vocabulary(inputs.tokenizer.vocab_size),
        image_size=IMAGE_SIZE,
        max_text_length=TEXT_LENGTH,
        num_answers=len(ANSWERS) if answers else None,
    )
    recipe = OmegaConf.create({"stage": {"name": "coarse"}, "task": {"name": COARSE_KINDS[kind].task}})
    parts = ModelParts(model, description, inputs.tokenizer, answers, recipe)
    write_model_folder(parts, folder, origin="Made for a test.")
    return folder
