"""In how many images' captions a run of words occurs: what CIDEr weighs it by."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Self

from fiber.data.readers.files import read_json
from fiber.evaluation.captioning.ngrams import count_ngrams
from fiber.utils.errors import UserError

EXPECTED = 'document frequencies: {"num_documents": images, "counts": {"a dog": images}}'


@dataclass(frozen=True)
class DocumentFrequencies:
    """One document per image: all its captions.

    Runs of words that occur in a single document are not kept, because CIDEr takes those it does not know for such.
    """

    num_documents: int
    counts: Mapping[str, int]
    """Documents by run of one to four words, joined by spaces."""

    @classmethod
    def from_references(cls, references: Iterable[Sequence[Sequence[str]]]) -> Self:
        """Count.

        Args:
            references: of every image, the words of its captions.
        """
        counts: Counter[str] = Counter()
        num_documents = 0
        for captions in references:
            counts.update(set(chain.from_iterable(order for words in captions for order in count_ngrams(words))))
            num_documents += 1
        return cls(num_documents, {ngram: count for ngram, count in counts.items() if count > 1})

    def weight(self, ngram: str) -> float:
        """Inverse document frequency: the logarithm of documents per document that holds the run of words."""
        return math.log(self.num_documents) - math.log(self.counts.get(ngram, 1))

    def save(self, path: Path) -> None:
        """Write a json file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"num_documents": self.num_documents, "counts": dict(self.counts)}
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: no such file, or one of another format.
        """
        content = read_json(path, expected=EXPECTED)
        if not isinstance(content, dict) or set(content) != {"num_documents", "counts"}:
            raise UserError(f"{path} is of another format: expected {EXPECTED}.")
        return cls(int(content["num_documents"]), content["counts"])
