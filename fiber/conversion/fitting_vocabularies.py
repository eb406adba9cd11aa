"""Tokens and answers that go with a model's sizes."""

from pathlib import Path

from fiber.checkpoints.model_description import CoarseDescription, ModelDescription, ModelKind
from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.tokenization import TextTokenizer, load_tokenizer
from fiber.utils.errors import UserError


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
            raise UserError(
                f"answers={file}: the model is of {description.kind}, which answers no questions. Leave it out."
            )
        return None
    if file is None:
        raise UserError(
            f"the model chooses from {description.num_answers} answers whose words the file does not hold: give "
            "answers=FILE in the order of its classifier, such as LXMERT's trainval_label2ans.json."
        )
    answers = AnswerVocabulary.from_file(Path(file))
    if len(answers) != description.num_answers:
        raise UserError(
            f"answers={file} has {len(answers)} answers, the model {description.num_answers}: give the list that the "
            "model was trained with."
        )
    return answers
