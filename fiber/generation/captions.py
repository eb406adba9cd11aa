"""What a search returns. Axes: I images, n captions of each, T tokens."""

from typing import NamedTuple

from torch import Tensor

from fiber.generation.vocabulary import CaptionVocabulary


class GeneratedCaptions(NamedTuple):
    """Captions without `<s>`; each ends with `</s>` unless it was cut at the longest length, and padding follows."""

    tokens: Tensor
    """int64 I n T."""
    scores: Tensor
    """I n: the rank of a beam search, else the sum of log-probabilities."""

    def words(self, vocabulary: CaptionVocabulary) -> list[list[list[int]]]:
        """Token ids of every caption of every image, `</s>` and padding left out."""
        outside = (vocabulary.eos_id, vocabulary.pad_id)
        return [[[token for token in row if token not in outside] for row in image] for image in self.tokens.tolist()]
