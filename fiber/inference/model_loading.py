"""A trained model from the directory of its run, from an exported one, or from the hub."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from omegaconf import DictConfig
from torch import Tensor, nn

from fiber.checkpoints.model_description import CoarseDescription, ModelDescription, read_description
from fiber.checkpoints.model_folder import DESCRIPTION_FILE, ModelParts
from fiber.checkpoints.model_kinds import build_model
from fiber.checkpoints.run_description import describe_run
from fiber.checkpoints.run_folder import ANSWERS_FILE, CONFIG_FILE, EXPORTED_WEIGHTS, run_of
from fiber.checkpoints.trained_run import RunFiles, find_run_files, read_run_config, read_run_weights
from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.readers.files import read_json
from fiber.data.tokenization import TextTokenizer
from fiber.utils.errors import UserError


@dataclass(frozen=True)
class LoadedModel(ModelParts):
    """A model in evaluation mode, the averaged weights if its run averaged them, with what it needs to see and read."""

    folder: Path
    """Of the run or of the exported model."""


def load_model(source: str | Path, *, device: torch.device | str = "cpu") -> LoadedModel:
    """Build a model as it is described and fill it.

    Args:
        source: directory of a run (its best checkpoint, else its last) or of an exported model, a checkpoint in one, or
            a repository of the hub (`name/model`).
        device: to put the model on.

    Raises:
        UserError: anything is missing, damaged, or fits nothing else.
    """
    files = find_run_files(local_folder(source))
    tokenizer = TextTokenizer.from_file(files.tokenizer)
    answers_file = files.directory / ANSWERS_FILE
    answers = AnswerVocabulary.from_file(answers_file) if answers_file.is_file() else None
    recipe = read_run_config(files.config)
    description = describe(files, recipe, tokenizer, answers)
    model = build_model(description)
    fill(model, read_run_weights(files.checkpoint), files.checkpoint)
    return LoadedModel(model.eval().to(device), description, tokenizer, answers, recipe, files.directory)


def describe(
    files: RunFiles, recipe: DictConfig, tokenizer: TextTokenizer, answers: AnswerVocabulary | None
) -> ModelDescription:
    """As an exported model says itself, or as the configuration of a run implies.

    Raises:
        UserError: the description is missing or damaged, or says something else than what lies beside it.
    """
    if files.checkpoint.name == EXPORTED_WEIGHTS:
        return describe_exported(files, tokenizer, answers)
    return describe_run(
        recipe,
        vocab_size=tokenizer.vocab_size,
        num_answers=len(answers) if answers is not None else None,
        where=str(files.config),
    )


def describe_exported(files: RunFiles, tokenizer: TextTokenizer, answers: AnswerVocabulary | None) -> ModelDescription:
    """As an exported model says itself."""
    file = files.directory / DESCRIPTION_FILE
    if not file.is_file():
        raise UserError(f"{file} is missing: leave {EXPORTED_WEIGHTS} in the folder that it was exported to.")
    description = read_description(read_json(file, expected="the description of an exported model"), str(file))
    vocabulary = description.backbone.text.vocab_size
    if tokenizer.vocab_size != vocabulary:
        raise UserError(
            f"{files.tokenizer} has {tokenizer.vocab_size} tokens, {file} says {vocabulary}: put back the tokeniser of "
            "the model."
        )
    wanted = description.num_answers if isinstance(description, CoarseDescription) else None
    if wanted is not None and (answers is None or len(answers) != wanted):
        answers_file = files.directory / ANSWERS_FILE
        found = "is missing" if answers is None else f"has {len(answers)} answers"
        raise UserError(f"{answers_file} {found}, {file} says {wanted}: put back the answers of the model.")
    return description


def local_folder(source: str | Path) -> Path:
    """The path itself where there is such a file or folder, else the hub's repository of that name, downloaded.

    Raises:
        UserError: there is neither.
    """
    path = Path(source)
    if path.exists() or str(source).count("/") != 1:
        return path
    try:
        return Path(snapshot_download(str(source)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(
            f"checkpoint={source} is no local path, and the hub does not give such a model ({type(error).__name__}): "
            "give the directory of a run or of an exported model, or NAME/MODEL of the hub where there is a network."
        ) from error


def fill(model: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load all weights, in place.

    Raises:
        UserError: one is missing, left over or of another shape.
    """
    own = model.state_dict()
    odd = sorted(own.keys() ^ weights.keys()) or [name for name in own if own[name].shape != weights[name].shape]
    if odd:
        described = DESCRIPTION_FILE if path.name == EXPORTED_WEIGHTS else CONFIG_FILE
        raise UserError(
            f"checkpoint={path} does not fit {run_of(path) / described}: {len(odd)} tensors differ, {odd[0]} among "
            "them. Has the file been moved from another run?"
        )
    model.load_state_dict(dict(weights))
