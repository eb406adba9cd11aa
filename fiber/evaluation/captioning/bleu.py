"""BLEU of a whole set of captions (Papineni et al., 2002), as the COCO evaluator computes it."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from fiber.evaluation.captioning.ngrams import MAX_ORDER, count_ngrams

TINY, SMALL = 1e-15, 1e-9
"""What the evaluator adds to numerators and denominators; they show in the tenth digit."""

Words = Sequence[str]


def corpus_bleu(hypotheses: Iterable[Words], references: Iterable[Sequence[Words]]) -> tuple[float, ...]:
    """BLEU-1 to BLEU-4 in [0, 1], with the length of the reference closest to each hypothesis.

    Args:
        hypotheses: words of one caption per image.
        references: words of the captions that each is held against, at least one.
    """
    matched, offered = [0] * MAX_ORDER, [0] * MAX_ORDER
    length = reference_length = 0
    for hypothesis, others in zip(hypotheses, references, strict=True):
        for order, (matches, total) in enumerate(clipped_matches(hypothesis, others)):
            matched[order] += matches
            offered[order] += total
        length += len(hypothesis)
        reference_length += closest_length(len(hypothesis), others)
    precisions = [(good + TINY) / (total + SMALL) for good, total in zip(matched, offered, strict=True)]
    penalty = brevity_penalty(length, reference_length)
    return tuple(penalty * math.prod(precisions[:order]) ** (1 / order) for order in range(1, MAX_ORDER + 1))


def clipped_matches(hypothesis: Words, references: Sequence[Words]) -> list[tuple[int, int]]:
    """By length of runs from one word to four: how many occur in a reference too, and how many there are."""
    counts = [count_ngrams(reference) for reference in references]
    return [
        (largest_shared(found, [other[order] for other in counts]).total(), found.total())
        for order, found in enumerate(count_ngrams(hypothesis))
    ]


def largest_shared(found: Counter[str], references: Sequence[Counter[str]]) -> Counter[str]:
    """`found`, each run no more often than in the reference that has it most."""
    return found & reduce(or_, references)


def closest_length(length: int, references: Sequence[Words]) -> int:
    """Length of the reference whose length is nearest; the shorter of two."""
    return min((abs(len(reference) - length), len(reference)) for reference in references)[1]


def brevity_penalty(length: int, reference_length: int) -> float:
    """Below 1 where the hypotheses are shorter than the references."""
    ratio = (length + TINY) / (reference_length + SMALL)
    return math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
