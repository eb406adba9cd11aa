"""A model folder from a file in the original's format."""

import logging
from pathlib import Path

import torch

from fiber.checkpoints.foreign_state import ForeignState
from fiber.checkpoints.model_description import CoarseDescription, ModelDescription, ModelKind
from fiber.checkpoints.model_folder import ModelParts, write_model_folder
from fiber.conversion.config import ConversionConfig
from fiber.conversion.key_report import KeyReport, examples
from fiber.conversion.origin_text import described_origin
from fiber.conversion.original_reading import OriginalModel, read_original
from fiber.conversion.original_settings import original_settings
from fiber.conversion.recipe import compose_recipe
from fiber.conversion.record import find_origin, is_kept, original_content, write_record
from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.tokenization import TextTokenizer, load_tokenizer
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)


def convert_original(foreign: ForeignState, settings: ConversionConfig, output: Path) -> KeyReport:
    """Write the model folder.

    Args:
        foreign: the file's tensors.
        settings: of the conversion.
        output: the folder.

    Raises:
        UserError: it is no checkpoint of the original's, or the tokeniser or the answers do not fit it.
    """
    read = read_model(foreign, settings)
    description = read.description
    tokenizer = fitting_tokenizer(settings.tokenizer.path, description)
    parts = ModelParts(
        read.model,
        description,
        tokenizer,
        fitting_answers(settings.answers, description),
        compose_recipe(description, tokenizer_path=settings.tokenizer.path, folder=output),
    )
    origin, extra = find_origin(foreign, read.report, read.model.state_dict(), description)
    kept = {name: value for name, value in extra.items() if settings.keep_extra and is_kept(name, value)}
    if lost := tuple(name for name in extra if name not in kept):
        log.warning("to=reference will not give back %s", examples(lost))
    write_model_folder(parts, output, origin=described_origin(read.report))
    write_record(output, read.report, origin, kept)
    return read.report


def rewrite_original(foreign: ForeignState, settings: ConversionConfig, output: Path) -> KeyReport:
    """Write a file in the original's format from another: at another image size, or without an optimiser's state."""
    read = read_model(foreign, settings)
    weights = read.model.state_dict()
    origin, extra = find_origin(foreign, read.report, weights, read.description)
    extra = extra if settings.keep_extra else {}
    content = original_content(weights, read.description, origin, extra, original_settings(read.description))
    output.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, output)
    return read.report


def read_model(foreign: ForeignState, settings: ConversionConfig) -> OriginalModel:
    """The model in a file."""
    assert settings.input is not None
    return read_original(foreign, settings.input, settings.described, allow_surprising=settings.allow_surprising)


def fitting_tokenizer(path: str, description: ModelDescription) -> TextTokenizer:
    """The tokeniser.

    Raises:
        UserError: it cannot be had, or has another vocabulary than the model.
    """
    tokenizer = load_tokenizer(path)
    size = description.backbone.text.vocab_size
    if tokenizer.vocab_size != size:
        raise UserError(
            f"tokenizer.path={path} has {tokenizer.vocab_size} entries, the model {size}: give the tokeniser that the "
            "model was trained with."
        )
    return tokenizer


def fitting_answers(file: str | None, description: ModelDescription) -> AnswerVocabulary | None:
    """The vocabulary of answers, for a model that answers questions.

    Raises:
        UserError: it is missing, cannot be read, is of another length, or the model answers none.
    """
    if not isinstance(description, CoarseDescription) or description.kind is not ModelKind.QUESTION_ANSWERING:
        if file is not None:
            raise UserError(f"answers={file}: the model is of {description.kind}, which answers no questions.")
        return None
    if file is None:
        raise UserError(
            f"the model chooses from {description.num_answers} answers whose words the file does not hold: give "
            "answers=FILE in the order of its classifier, such as LXMERT's trainval_label2ans.json."
        )
    answers = AnswerVocabulary.from_file(Path(file))
    if len(answers) != description.num_answers:
        raise UserError(f"answers={file} has {len(answers)} answers, the model {description.num_answers}.")
    return answers
