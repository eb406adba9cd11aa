"""A model folder from a file in the original's format."""

import logging
from pathlib import Path

import torch

from fiber.checkpoints.foreign_state import ForeignState
from fiber.checkpoints.model_folder import ModelParts, write_model_folder
from fiber.conversion.config import ConversionConfig
from fiber.conversion.fitting_vocabularies import fitting_answers, fitting_tokenizer
from fiber.conversion.key_report import KeyReport, examples
from fiber.conversion.origin import NOTHING, find_origin, original_content
from fiber.conversion.origin_text import described_origin
from fiber.conversion.original_reading import OriginalModel, read_original
from fiber.conversion.original_settings import original_settings
from fiber.conversion.recipe import compose_recipe
from fiber.conversion.record import write_record

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
    tokenizer = fitting_tokenizer(settings.tokenizer_path, description)
    parts = ModelParts(
        read.model,
        description,
        tokenizer,
        fitting_answers(settings.answers, description),
        compose_recipe(description, tokenizer_path=settings.tokenizer_path, folder=output),
    )
    origin, extra = find_origin(foreign, read.report, read.model.state_dict(), description)
    kept = extra.kept() if settings.keep_extra else NOTHING
    lost = tuple(name for part, left in zip(extra, kept, strict=True) for name in part if name not in left)
    rounded = tuple(name for name in read.report.loaded if foreign.tensors[name].dtype is torch.float64)
    for names, fate in ((lost, "not give back"), (rounded, "give back in single precision")):
        if names:
            log.warning("to=reference will %s %s", fate, examples(names))
    write_model_folder(parts, output, origin=described_origin(read.report))
    write_record(output, read.report, origin, kept)
    return read.report


def rewrite_original(foreign: ForeignState, settings: ConversionConfig, output: Path) -> KeyReport:
    """Write a file in the original's format from another: at another image size, or without an optimiser's state."""
    read = read_model(foreign, settings)
    weights = read.model.state_dict()
    origin, extra = find_origin(foreign, read.report, weights, read.description)
    extra = extra if settings.keep_extra else NOTHING
    content = original_content(weights, read.description, origin, extra, original_settings(read.description))
    output.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, output)
    return read.report


def read_model(foreign: ForeignState, settings: ConversionConfig) -> OriginalModel:
    """The model in a file."""
    assert settings.input is not None
    return read_original(foreign, settings.input, settings.described, allow_surprising=settings.allow_surprising)
