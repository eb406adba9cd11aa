"""CIDEr-D: agreement with the references in telling words (Vedantam et al., 2015, equation 6).

The COCO evaluator's CIDEr is this too, with the document frequencies of the references at hand.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from fiber.evaluation.captioning.document_frequencies import DocumentFrequencies
from fiber.evaluation.captioning.ngrams import MAX_ORDER, count_ngrams
from fiber.evaluation.captioning.ptb_tokenization import ptb_words

SIGMA = 6.0
"""Words by which the lengths of two captions may differ before it counts much."""
SCALE = 10.0
END = "<eos>"
"""Last word of captions whose ends are judged too."""

Words = Sequence[str]


class TermVector(NamedTuple):
    """Runs of words with their weights, by length from 1 to 4."""

    weights: tuple[dict[str, float], ...]
    norms: tuple[float, ...]
    num_bigrams: int
    """Measure of length."""


class CiderD:
    """Scores captions of one image at a time.

    Args:
        frequencies: of the corpus that tells common runs of words from telling ones.
    """

    def __init__(self, frequencies: DocumentFrequencies) -> None:
        self.frequencies = frequencies

    def scores(self, hypotheses: Sequence[Words], references: Sequence[Words]) -> list[float]:
        """CIDEr-D of several captions of an image, 0..10.

        Args:
            hypotheses: words of the captions to judge.
            references: words of the image's captions, at least one.
        """
        vectors = [self.vector(words) for words in references]
        return [self.mean_similarity(self.vector(words), vectors) for words in hypotheses]

    def vector(self, words: Words) -> TermVector:
        """Term frequency times inverse document frequency."""
        counts = count_ngrams(words)
        weights = tuple(
            {ngram: count * self.frequencies.weight(ngram) for ngram, count in order.items()} for order in counts
        )
        norms = tuple(math.sqrt(math.fsum(weight**2 for weight in order.values())) for order in weights)
        return TermVector(weights, norms, counts[1].total())

    def mean_similarity(self, hypothesis: TermVector, references: Sequence[TermVector]) -> float:
        """Over references and lengths of runs, times 10."""
        return SCALE * math.fsum(similarity(hypothesis, other) for other in references) / len(references)


def similarity(hypothesis: TermVector, reference: TermVector) -> float:
    """Cosine with clipped weights, averaged over the lengths of runs and reduced where captions differ in length."""
    norms = [one * other for one, other in zip(hypothesis.norms, reference.norms, strict=True)]
    products = [clipped_product(*pair) for pair in zip(hypothesis.weights, reference.weights, strict=True)]
    cosine = math.fsum(product / norm for product, norm in zip(products, norms, strict=True) if norm) / MAX_ORDER
    difference = hypothesis.num_bigrams - reference.num_bigrams
    return cosine * math.exp(-(difference**2) / (2 * SIGMA**2))


def clipped_product(hypothesis: Mapping[str, float], reference: Mapping[str, float]) -> float:
    """Inner product in which no run of words weighs more than in the reference."""
    shared = hypothesis.keys() & reference.keys()
    return math.fsum(min(hypothesis[run], reference[run]) * reference[run] for run in shared)


def ended_words(caption: str) -> list[str]:
    """Words of a caption and `<eos>`: a caption that breaks off lacks runs of words that its references have."""
    return [*ptb_words(caption), END]


def caption_frequencies(captions: Iterable[Sequence[str]]) -> DocumentFrequencies:
    """Document frequencies for captions split by `ended_words`.

    Args:
        captions: of every image.
    """
    return DocumentFrequencies.from_references([ended_words(caption) for caption in texts] for texts in captions)
