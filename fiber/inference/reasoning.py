"""Judgements of statements about two pictures.

reasoner = Reasoner(model, CoarseInput(description, tokenizer, "cpu"))
print(reasoner.reason(Image.open("left.jpg"), Image.open("right.jpg"), "both images show a cat"))
"""

from dataclasses import dataclass, field
from typing import Any, overload

import torch
from PIL import Image

from fiber.evaluation.pair_matching import match_score
from fiber.inference.answer_drawing import draw_judgement
from fiber.inference.arguments import TextList, Texts, aligned, batches, list_texts
from fiber.inference.coarse_input import CoarseInput, ImageList, Images
from fiber.inference.coarse_predictor import CoarsePredictor
from fiber.inference.results import SCORE_DIGITS
from fiber.models.trunks import ImageTrunk
from fiber.models.visual_reasoning_model import FiberForVisualReasoning


@dataclass(frozen=True)
class ReasoningResult:
    """What is said of one statement."""

    left: Image.Image = field(repr=False)
    """RGB."""
    right: Image.Image = field(repr=False)
    """RGB."""
    statement: str
    is_true: bool
    probability: float
    """That the statement is true, in (0, 1)."""

    def draw(self) -> Image.Image:
        """Both pictures above the statement and whether it is true."""
        return draw_judgement(self.left, self.right, self.statement, is_true=self.is_true, probability=self.probability)

    def to_json(self) -> dict[str, Any]:
        """Content of a JSON file.

        Returns:
            `left_height`, `left_width`, `right_height`, `right_width`, `statement`, `is_true`, and `probability` to
            four decimals.
        """
        return {
            "left_height": self.left.height,
            "left_width": self.left.width,
            "right_height": self.right.height,
            "right_width": self.right.width,
            "statement": self.statement,
            "is_true": self.is_true,
            "probability": round(self.probability, SCORE_DIGITS),
        }

    def __str__(self) -> str:
        return f"{self.statement}: {str(self.is_true).lower()} (probability that it is true: {self.probability:.2f})"


class Reasoner(CoarsePredictor):
    """Tells true statements from false ones.

    Args:
        model: in evaluation mode.
        inputs: how pictures and statements are prepared for it.
        batch_size: as of `CoarsePredictor`, statements where pictures and texts meet.

    Raises:
        UserError: `batch_size` is below 1.
    """

    def __init__(self, model: FiberForVisualReasoning, inputs: CoarseInput, *, batch_size: int = 16) -> None:
        super().__init__(model.backbone, inputs, batch_size=batch_size)
        self.model = model

    @overload
    def reason(self, left: Image.Image, right: Image.Image, statements: str) -> ReasoningResult: ...
    @overload
    def reason(self, left: ImageList, right: Images, statements: Texts) -> list[ReasoningResult]: ...
    @overload
    def reason(self, left: Image.Image, right: ImageList, statements: Texts) -> list[ReasoningResult]: ...
    @overload
    def reason(self, left: Image.Image, right: Image.Image, statements: TextList) -> list[ReasoningResult]: ...
    @torch.no_grad()
    def reason(self, left: Images, right: Images, statements: Texts) -> ReasoningResult | list[ReasoningResult]:
        """Whether statements are true of pairs of pictures.

        Args:
            left: one picture, several, or encoded ones.
            right: as `left`.
            statements: one, or several. Of each of the three there is one for all, or as many as of the others. A
                statement longer than the model reads is cut.

        Returns:
            One result for one statement about one pair, else a list in their order.

        Raises:
            UserError: there is no picture or no statement, one is none, or their numbers do not go together.
        """
        said = list_texts(statements, "statements")
        first, second = self.encode_images(left, name="left"), self.encode_images(right, name="right")
        triples = aligned(left=len(first), right=len(second), statements=len(said))
        text = self.encode_texts(said)
        # Left and right as one list of pictures, so that a statement finds both by their places.
        images = ImageTrunk.concatenate([first.trunk, second.trunk])
        parts = []
        for rows in batches(len(triples), self.batch_size):
            lefts, rights, texts = torch.tensor(triples[rows], device=self.inputs.device).unbind(1)
            sides = torch.stack([lefts, len(first) + rights], dim=1).flatten()
            parts.append(self.model.judge(images[sides], text[texts]).cpu())
        score = match_score(torch.cat(parts)).double()  # K
        results = [
            ReasoningResult(first.images[one], second.images[other], said[text_index], is_true, probability)
            for (one, other, text_index), is_true, probability in zip(
                triples, (score > 0).tolist(), score.sigmoid().tolist(), strict=True
            )
        ]
        single = isinstance(left, Image.Image) and isinstance(right, Image.Image) and isinstance(statements, str)
        return results[0] if single else results
