"""NLVR2's official scores and file of predictions (Suhr et al. 2019).

An identifier such as `dev-850-2-0` names the split, a set of pairs of images, a pair of it and a sentence of the set: a
sentence is judged on several pairs.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

from fiber.data.statement_labels import LABELS
from fiber.utils.errors import UserError

EXPECTED = "lines such as dev-850-2-0,True"
MAX_NAMED = 3


def accuracy(truths: Mapping[str, bool], predictions: Mapping[str, bool]) -> float:
    """Share of examples judged rightly, in [0, 1].

    Args:
        truths: label of every example, by its identifier.
        predictions: for the same examples.

    Raises:
        UserError: the predictions leave out examples, or are about others.
    """
    check_examples(truths, predictions)
    return sum(predictions[identifier] == truth for identifier, truth in truths.items()) / len(truths)


def consistency(truths: Mapping[str, bool], predictions: Mapping[str, bool]) -> float:
    """Share of sentences judged rightly on every pair of images, in [0, 1].

    Arguments and errors as for `accuracy`; the identifiers are NLVR2's.
    """
    check_examples(truths, predictions)
    right: dict[tuple[str, ...], bool] = {}
    for identifier, truth in truths.items():
        sentence = sentence_of(identifier)
        right[sentence] = right.get(sentence, True) and predictions[identifier] == truth
    return sum(right.values()) / len(right)


def names_sentence(identifier: str) -> bool:
    """Whether this is an identifier of NLVR2."""
    return identifier.count("-") == 3


def sentence_of(identifier: str) -> tuple[str, ...]:
    """Split, set and sentence."""
    split, images, _, sentence = identifier.split("-")
    return split, images, sentence


def check_examples(truths: Mapping[str, bool], predictions: Mapping[str, bool]) -> None:
    """Raise a UserError unless both are about the same examples, at least one."""
    if not truths:
        raise UserError("There is no example of NLVR2 to judge.")
    for examples, fault in (
        (truths.keys() - predictions.keys(), "lack"),
        (predictions.keys() - truths.keys(), "are about unknown"),
    ):
        if examples:
            named = ", ".join(sorted(examples)[:MAX_NAMED])
            raise UserError(
                f"The predictions {fault} {len(examples)} of {len(truths)} examples ({named}): are they of this split?"
            )


def read_predictions(path: Path) -> dict[str, bool]:
    """The official file of predictions.

    Raises:
        UserError: there is no such file, or a line is not as expected (named by its number).
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist: expected {EXPECTED}.")
    predictions: dict[str, bool] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if len(row) != 2 or row[1] not in LABELS or row[0] in predictions:
                raise UserError(f"{path}:{number} is {','.join(row)!r}: expected {EXPECTED}, one per example.")
            predictions[row[0]] = LABELS[row[1]]
    return predictions


def predictions_file(predictions: Mapping[str, bool]) -> str:
    """Content of the official file of predictions."""
    return "".join(f"{identifier},{prediction}\n" for identifier, prediction in predictions.items())
