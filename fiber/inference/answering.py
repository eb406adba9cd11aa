"""Answers to questions about pictures.

answerer = Answerer(model, CoarseInput(description, tokenizer, "cpu"), answers)
print(answerer.answer(Image.open("cat.jpg"), "what color is the cat?"))
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, overload

from PIL import Image

from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.inference.answer_drawing import Bar, draw_answers
from fiber.inference.arguments import TextList, Texts, aligned, list_texts, require_count
from fiber.inference.coarse_input import CoarseInput, ImageList, Images
from fiber.inference.coarse_predictor import CoarsePredictor
from fiber.inference.results import SCORE_DIGITS
from fiber.models.question_answering_model import FiberForQuestionAnswering


class ScoredAnswer(NamedTuple):
    """One answer of the vocabulary."""

    answer: str
    probability: float
    """In (0, 1), of this answer by itself: the sigmoid of its logit, as the model is trained. Annotators disagree, so
    that several answers can be right, and probabilities need not add up to 1."""

    def __str__(self) -> str:
        return f"{self.answer} {self.probability:.2f}"


@dataclass(frozen=True)
class AnswerResult:
    """The answer to one question, and those that come next."""

    image: Image.Image = field(repr=False)
    """RGB."""
    question: str
    answers: tuple[ScoredAnswer, ...]
    """Best first, one at least."""

    @property
    def answer(self) -> str:
        """The best."""
        return self.answers[0].answer

    def draw(self) -> Image.Image:
        """The picture above the question and its answers."""
        bars = [Bar(one.answer, one.probability, f"{one.probability:.2f}") for one in self.answers]
        return draw_answers(self.image, self.question, bars)

    def to_json(self) -> dict[str, Any]:
        """Content of a JSON file.

        Returns:
            `height` and `width` of the picture, `question`, and `answers`, best first, with `answer` and `probability`
            to four decimals.
        """
        answers = [{"answer": one.answer, "probability": round(one.probability, SCORE_DIGITS)} for one in self.answers]
        return {"height": self.image.height, "width": self.image.width, "question": self.question, "answers": answers}

    def __str__(self) -> str:
        return f"{self.question} {', '.join(map(str, self.answers))}"


class Answerer(CoarsePredictor):
    """Chooses answers from a vocabulary.

    Args:
        model: in evaluation mode.
        inputs: how pictures and questions are prepared for it.
        answers: what it chooses from.
        batch_size: as of `CoarsePredictor`.

    Raises:
        UserError: `batch_size` is below 1.
    """

    def __init__(
        self,
        model: FiberForQuestionAnswering,
        inputs: CoarseInput,
        answers: AnswerVocabulary,
        *,
        batch_size: int = 16,
    ) -> None:
        super().__init__(model.backbone, inputs, batch_size=batch_size)
        self.model = model
        self.answers = answers

    @overload
    def answer(self, images: Image.Image, questions: str, top_k: int = 5) -> AnswerResult: ...
    @overload
    def answer(self, images: ImageList, questions: Texts, top_k: int = 5) -> list[AnswerResult]: ...
    @overload
    def answer(self, images: Image.Image, questions: TextList, top_k: int = 5) -> list[AnswerResult]: ...
    def answer(self, images: Images, questions: Texts, top_k: int = 5) -> AnswerResult | list[AnswerResult]:
        """The most probable answers.

        Args:
            images: one picture, several, or encoded ones.
            questions: one, or several. One picture may have several questions and several pictures one; otherwise there
                are as many of each. A question longer than the model reads is cut.
            top_k: answers to each question, at most.

        Returns:
            One result for one picture and one question, else a list in their order.

        Raises:
            UserError: there is no picture or no question, one is none, their numbers do not go together, or `top_k` is
                below 1.
        """
        require_count(top_k, "top_k")
        asked = list_texts(questions, "questions")
        encoded, text = self.encode_images(images), self.encode_texts(asked)
        pairs = aligned(images=len(encoded), questions=len(asked))
        logits = self.fuse(encoded.trunk, text, pairs, self.model.answer)  # K A
        best = logits.double().sigmoid().topk(min(top_k, len(self.answers)), dim=1)
        results = [
            AnswerResult(encoded.images[image], asked[question], self.named(labels, probabilities))
            for (image, question), labels, probabilities in zip(
                pairs, best.indices.tolist(), best.values.tolist(), strict=True
            )
        ]
        return results[0] if isinstance(images, Image.Image) and isinstance(questions, str) else results

    def named(self, labels: Sequence[int], probabilities: Sequence[float]) -> tuple[ScoredAnswer, ...]:
        """Answers by their labels."""
        pairs = zip(labels, probabilities, strict=True)
        return tuple(ScoredAnswer(self.answers.answers[label], probability) for label, probability in pairs)
