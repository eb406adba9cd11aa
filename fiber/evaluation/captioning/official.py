"""Scores by the COCO evaluator itself (pycocoevalcap), as far as this machine can run it."""

import importlib.util
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

SPICE_MODELS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")

Captions = dict[str, list[str]]


class OfficialScores(NamedTuple):
    scores: dict[str, float]
    """`bleu_1` to `bleu_4`, `meteor`, `rouge_l`, `cider` and `spice`, those that could be computed."""
    left_out: str | None
    """What could not, and why, in one line."""


def official_scores(references: Mapping[str, Sequence[str]], hypotheses: Mapping[str, str]) -> OfficialScores:
    """Judge captions with the evaluator's own tokeniser and scorers.

    Args:
        references: captions by image.
        hypotheses: one caption by image, for the same images.
    """
    obstacle = evaluator_obstacle()
    if obstacle:
        return OfficialScores({}, f"without the official evaluator (METEOR, SPICE): {obstacle}")
    truths, results = official_words(references, hypotheses)
    scores = java_free_scores(truths, results) | {"meteor": meteor(truths, results)}
    obstacle = spice_obstacle()
    if obstacle:
        return OfficialScores(scores, f"without SPICE: {obstacle}")
    return OfficialScores(scores | {"spice": spice(truths, results)}, None)


def evaluator_folder() -> Path | None:
    """Where pycocoevalcap is installed."""
    spec = importlib.util.find_spec("pycocoevalcap")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def evaluator_obstacle() -> str | None:
    """Why the evaluator cannot run here."""
    folder = evaluator_folder()
    if folder is None:
        return "pycocoevalcap is not installed (pip install 'fiber-vl[captions]')"
    if shutil.which("java") is None:
        return "there is no java (install a Java runtime, version 8 or later)"
    if not os.access(folder / "tokenizer", os.W_OK):
        return f"its tokeniser writes to {folder / 'tokenizer'}, which is read-only"
    return None


def spice_obstacle() -> str | None:
    """Why SPICE cannot run here; its models are never downloaded by us."""
    folder = evaluator_folder()
    assert folder is not None
    missing = [name for name in SPICE_MODELS if not (folder / "spice" / "lib" / name).is_file()]
    return f"its models {' and '.join(missing)} are not in {folder / 'spice' / 'lib'}" if missing else None


def official_words(references: Mapping[str, Sequence[str]], hypotheses: Mapping[str, str]) -> tuple[Captions, Captions]:
    """Captions as the evaluator's tokeniser, a Java program, splits them."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    def tokenize(captions: Mapping[str, Sequence[str]]) -> Captions:
        rows = {image: [{"caption": " ".join(text.split())} for text in texts] for image, texts in captions.items()}
        words = PTBTokenizer().tokenize(rows)
        return {image: words.get(image, [""]) for image in rows}  # it drops empty captions at the end

    return tokenize(references), tokenize({image: [hypotheses[image]] for image in references})


def java_free_scores(truths: Captions, results: Captions) -> dict[str, float]:
    """BLEU, ROUGE-L and CIDEr."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    bleu, _ = Bleu(4).compute_score(truths, results, verbose=0)
    scores = {f"bleu_{order}": float(score) for order, score in enumerate(bleu, start=1)}
    scores["rouge_l"] = float(Rouge().compute_score(truths, results)[0])
    scores["cider"] = float(Cider().compute_score(truths, results)[0])
    return scores


def meteor(truths: Captions, results: Captions) -> float:
    from pycocoevalcap.meteor.meteor import Meteor

    return float(Meteor().compute_score(truths, results)[0])


def spice(truths: Captions, results: Captions) -> float:
    from pycocoevalcap.spice.spice import Spice

    return float(Spice().compute_score(truths, results)[0])
