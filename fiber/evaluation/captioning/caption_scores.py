"""All scores of a set of captions."""

import logging
from collections.abc import Mapping, Sequence
from itertools import chain, islice

import numpy as np

from fiber.evaluation.captioning.bleu import corpus_bleu
from fiber.evaluation.captioning.cider import END, CiderD
from fiber.evaluation.captioning.document_frequencies import DocumentFrequencies
from fiber.evaluation.captioning.official import official_scores
from fiber.evaluation.captioning.ptb_tokenization import ptb_tokenize
from fiber.evaluation.captioning.rouge import rouge_l
from fiber.utils.errors import UserError

Words = Sequence[str]

logger = logging.getLogger(__name__)


def caption_scores(
    references: Mapping[str, Sequence[str]], hypotheses: Mapping[str, str], *, official: bool = False
) -> dict[str, float]:
    """Judge one caption per image.

    Args:
        references: true captions by image, in the order in which the evaluator would read them.
        hypotheses: captions to judge by image.
        official: also run the COCO evaluator itself, where it is installed; its scores replace ours.

    Returns:
        `bleu_1` to `bleu_4` and `rouge_l` in [0, 1], `cider` as the COCO evaluator defines it, and `cider_d`, the same
        with the end of a caption counted as a word, which is what training rewards; both 0..10. Document frequencies
        are those of `references`. With `official`, `meteor` and `spice` where they can be computed.

    Raises:
        UserError: captions for other images than those of the references, or an image without a reference.
    """
    check_images(references, hypotheses)
    counts = [len(references[image]) for image in references]
    words = iter(ptb_tokenize(list(chain.from_iterable(references.values()))))
    truths = [list(islice(words, count)) for count in counts]
    judged = ptb_tokenize([hypotheses[image] for image in references])
    scores = word_scores(judged, truths)
    if official:
        found = official_scores(references, hypotheses)
        if found.left_out:
            logger.warning("captions are scored %s", found.left_out)
        scores |= found.scores
    return scores


def check_images(references: Mapping[str, Sequence[str]], hypotheses: Mapping[str, str]) -> None:
    """Raise a UserError unless every image has a reference and one caption."""
    if not references:
        raise UserError("captions: there is no image to judge.")
    unknown = [image for image in hypotheses if image not in references]
    missing = [image for image in references if image not in hypotheses]
    if unknown or missing:
        raise UserError(
            f"captions: {len(unknown)} are of other images ({', '.join(unknown[:3])}) and {len(missing)} of "
            f"{len(references)} images have none ({', '.join(missing[:3])}): is this the right split?"
        )
    empty = [image for image, captions in references.items() if not any(caption.strip() for caption in captions)]
    if empty:
        raise UserError(f"captions: image {empty[0]} has no reference caption that is not blank.")


def word_scores(hypotheses: Sequence[Words], references: Sequence[Sequence[Words]]) -> dict[str, float]:
    """Scores of captions split into words: image by image, one caption and its references."""
    scores = {f"bleu_{order}": score for order, score in enumerate(corpus_bleu(hypotheses, references), start=1)}
    pairs = list(zip(hypotheses, references, strict=True))
    scores["rouge_l"] = float(np.mean([rouge_l(words, truths) for words, truths in pairs]))
    scores["cider"] = mean_cider_d(hypotheses, references)
    scores["cider_d"] = mean_cider_d(
        [[*words, END] for words in hypotheses], [[[*words, END] for words in truths] for truths in references]
    )
    return scores


def mean_cider_d(hypotheses: Sequence[Words], references: Sequence[Sequence[Words]]) -> float:
    """With the document frequencies of the references."""
    scorer = CiderD(DocumentFrequencies.from_references(references))
    pairs = zip(hypotheses, references, strict=True)
    return float(np.mean([scorer.scores([words], truths)[0] for words, truths in pairs]))
