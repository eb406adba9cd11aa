"""How well texts describe pictures, and embeddings of both.

matcher = Matcher(model, CoarseInput(description, tokenizer, "cpu"))
print(matcher.match(Image.open("cat.jpg"), ["a cat on a sofa", "a dog in the snow"]))
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, overload

import torch
from PIL import Image
from torch import Tensor

from fiber.evaluation.pair_matching import match_score
from fiber.inference.answer_drawing import Bar, draw_answers
from fiber.inference.arguments import Texts, batches, list_texts
from fiber.inference.coarse_input import CoarseInput, ImageList, Images
from fiber.inference.coarse_predictor import CoarsePredictor
from fiber.inference.results import SCORE_DIGITS
from fiber.models.pair_model import PairModel
from fiber.models.trunks import ImageTrunk, TextTrunk

log = logging.getLogger(__name__)

MATCHING_HEAD = "matching_head"
"""As `CoarseDescription.untrained` names it."""


@dataclass(frozen=True)
class MatchedText:
    """One text with one picture."""

    text: str
    index: int
    """Of the text among those given, from 0."""
    probability: float
    """That text and picture belong together, in (0, 1), by both fused."""
    similarity: float
    """Cosine of their embeddings, in [-1, 1]."""

    def __str__(self) -> str:
        return f"{self.text} {self.probability:.2f} (similarity {self.similarity:.2f})"


@dataclass(frozen=True)
class MatchResult:
    """Texts with one picture."""

    image: Image.Image = field(repr=False)
    """RGB."""
    texts: tuple[MatchedText, ...]
    """Best first: by probability, or by similarity where the model never learnt to match."""

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Of the texts in the order in which they were given."""
        return tuple(one.probability for one in self.as_given)

    @property
    def similarities(self) -> tuple[float, ...]:
        """Of the texts in the order in which they were given."""
        return tuple(one.similarity for one in self.as_given)

    @property
    def as_given(self) -> list[MatchedText]:
        """The texts in the order in which they were given."""
        return sorted(self.texts, key=lambda one: one.index)

    def draw(self) -> Image.Image:
        """The picture above its best texts."""
        bars = [
            Bar(one.text, one.probability, f"{one.probability:.2f}  cos {one.similarity:+.2f}") for one in self.texts
        ]
        return draw_answers(self.image, None, bars)

    def to_json(self) -> dict[str, Any]:
        """Content of a JSON file.

        Returns:
            `height` and `width` of the picture, and `texts`, best first, with `text`, `index`, and `probability` and
            `similarity` to four decimals.
        """
        texts = [
            {
                "text": one.text,
                "index": one.index,
                "probability": round(one.probability, SCORE_DIGITS),
                "similarity": round(one.similarity, SCORE_DIGITS),
            }
            for one in self.texts
        ]
        return {"height": self.image.height, "width": self.image.width, "texts": texts}

    def __str__(self) -> str:
        return "\n".join(map(str, self.texts))


class Matcher(CoarsePredictor):
    """Embeds pictures and texts, and tells which belong together.

    Args:
        model: in evaluation mode.
        inputs: how pictures and texts are prepared for it.
        batch_size: as of `CoarsePredictor`.

    Raises:
        UserError: `batch_size` is below 1.
    """

    def __init__(self, model: PairModel, inputs: CoarseInput, *, batch_size: int = 16) -> None:
        super().__init__(model.backbone, inputs, batch_size=batch_size)
        self.model = model
        self.has_matching = MATCHING_HEAD not in inputs.untrained
        self.has_warned = False

    def embed_image(self, images: Images) -> Tensor:
        """Embeddings of length 1, float32 on the CPU: P for one picture, N P for several or encoded ones.

        Raises:
            UserError: there is no picture, or something else is among them.
        """
        embeddings = self.image_embeddings(self.encode_images(images).trunk)
        return embeddings[0] if isinstance(images, Image.Image) else embeddings

    def embed_text(self, texts: Texts) -> Tensor:
        """Embeddings of length 1, float32 on the CPU: P for one text, T P for several.

        Raises:
            UserError: there is no text, or one is blank.
        """
        embeddings = self.text_embeddings(self.encode_texts(list_texts(texts, "texts")))
        return embeddings[0] if isinstance(texts, str) else embeddings

    @overload
    def match(self, images: Image.Image, texts: Texts) -> MatchResult: ...
    @overload
    def match(self, images: ImageList, texts: Texts) -> list[MatchResult]: ...
    def match(self, images: Images, texts: Texts) -> MatchResult | list[MatchResult]:
        """Every picture with every text.

        Of a model whose matching head was never trained, similarities alone rank the texts, and the log says once that
        probabilities mean nothing.

        Args:
            images: one picture, several, or encoded ones.
            texts: one, or several; one longer than the model reads is cut.

        Returns:
            One result for one picture, else a list in the order of the pictures.

        Raises:
            UserError: there is no picture or no text, or one is none.
        """
        given = list_texts(texts, "texts")
        if not self.has_matching and not self.has_warned:
            self.has_warned = True
            log.warning(
                "the matching head of this model was never trained: probabilities mean nothing, and texts are ranked "
                "by similarity"
            )
        encoded, text = self.encode_images(images), self.encode_texts(given)
        pairs = list(product(range(len(encoded)), range(len(given))))
        logits = self.fuse(encoded.trunk, text, pairs, self.model.match)
        score = match_score(logits).double().view(len(encoded), len(given))
        similarity = self.image_embeddings(encoded.trunk) @ self.text_embeddings(text).T
        results = [
            MatchResult(image, ranked(given, scores, similarities, has_matching=self.has_matching))
            for image, scores, similarities in zip(encoded.images, score, similarity, strict=True)
        ]
        return results[0] if isinstance(images, Image.Image) else results

    @torch.no_grad()
    def image_embeddings(self, trunk: ImageTrunk) -> Tensor:
        """Of N encoded pictures, N P."""
        rows = batches(len(trunk), self.batch_size)
        return torch.cat([self.model.embed_image(trunk[some]).float().cpu() for some in rows])

    @torch.no_grad()
    def text_embeddings(self, trunk: TextTrunk) -> Tensor:
        """Of T encoded texts, T P."""
        rows = batches(len(trunk), self.batch_size)
        return torch.cat([self.model.embed_text(trunk[some]).float().cpu() for some in rows])


def ranked(
    texts: Sequence[str], scores: Tensor, similarities: Tensor, *, has_matching: bool = True
) -> tuple[MatchedText, ...]:
    """Texts by their matching score, best first; of those that score the same, the more similar one.

    Args:
        texts: T.
        scores: float64 T, unbounded: probabilities near 1 may round to the same number.
        similarities: T.
        has_matching: whether scores mean anything; else similarities alone count.
    """
    probabilities = scores.sigmoid()
    by_similarity = similarities.argsort(descending=True, stable=True)
    order = by_similarity
    if has_matching:
        order = by_similarity[scores[by_similarity].argsort(descending=True, stable=True)]
    return tuple(
        MatchedText(texts[index], index, float(probabilities[index]), float(similarities[index]))
        for index in order.tolist()
    )
