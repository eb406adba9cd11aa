"""ROUGE-L of captions (Lin, 2004), as the COCO evaluator computes it."""

from collections.abc import Sequence

BETA = 1.2
"""Weight of recall against precision."""

Words = Sequence[str]


def rouge_l(hypothesis: Words, references: Sequence[Words]) -> float:
    """F-measure of the longest common subsequence, in [0, 1].

    The best precision and the best recall over the references count, which may come from different ones.
    """
    if not hypothesis:
        return 0.0
    common = [longest_common_subsequence(hypothesis, reference) for reference in references]
    precision = max(common) / len(hypothesis)
    recall = max(length / max(1, len(reference)) for length, reference in zip(common, references, strict=True))
    if precision == 0:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def longest_common_subsequence(first: Words, second: Words) -> int:
    """Number of words that both hold in the same order, not necessarily side by side."""
    best = [0] * (len(second) + 1)  # of the words of `first` so far and the first j words of `second`
    for word in first:
        diagonal = 0
        for place, other in enumerate(second, start=1):
            above = best[place]
            best[place] = diagonal + 1 if word == other else max(above, best[place - 1])
            diagonal = above
    return best[-1]
