"""Questions about pictures."""

import pytest
import torch

from fiber.checkpoints.model_description import ModelKind
from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.batch import SampleKey
from fiber.data.question_collate import QuestionCollator
from fiber.data.question_dataset import QuestionDataset
from fiber.data.shapes.questions import ShapesQuestions
from fiber.data.transforms import ResizeTransform
from fiber.inference.answering import Answerer, AnswerResult, ScoredAnswer
from fiber.models.config import FusionConfig
from fiber.tasks.coarse.vqa.evaluator import VqaEvaluator
from fiber.utils.errors import UserError

from .coarse_models import IMAGE_SIZE, TEXT_LENGTH, coarse_model, count_rows, pictures, shapes_tokenizer

ANSWERS = AnswerVocabulary(["yes", "no", "red", "blue", "2", "circle"])
QUESTIONS = ["what color is the circle ?", "how many squares are there ?", "is there a red cross ?"]


@pytest.fixture
def answerer(tiny_config: FusionConfig) -> Answerer:
    model, inputs = coarse_model(ModelKind.QUESTION_ANSWERING, tiny_config, len(ANSWERS))
    torch.nn.init.normal_(model.classifier.output.weight, generator=torch.Generator().manual_seed(0))
    return Answerer(model, inputs, ANSWERS, batch_size=4)


def test_answers_are_those_of_the_evaluation(answerer: Answerer) -> None:
    reader = ShapesQuestions("val", num_samples=5, image_size=96)
    samples = QuestionDataset(reader, vocabulary=ANSWERS, transform=ResizeTransform(IMAGE_SIZE), seed=0, training=False)
    collate = QuestionCollator(shapes_tokenizer(), max_text_length=TEXT_LENGTH, num_answers=len(ANSWERS))
    logits = []
    answerer.model.classifier.register_forward_hook(lambda *arguments: logits.append(arguments[-1]))
    with torch.no_grad():
        judged = VqaEvaluator(reader, vocabulary=ANSWERS).judge(
            answerer.model, collate([samples[SampleKey(index, 0)] for index in range(5)])
        )
    images, questions = zip(
        *((reader.load_image(index), reader.question(index).text) for index in range(5)), strict=True
    )
    results = answerer.answer(images, questions, top_k=2)
    assert [result.answer for result in results] == [judged[index].answer for index in range(5)]
    probabilities = torch.tensor([[one.probability for one in result.answers] for result in results])
    torch.testing.assert_close(probabilities, logits[0].sigmoid().topk(2).values, rtol=0, atol=1e-5)


def test_one_picture_is_encoded_once_for_ten_questions(answerer: Answerer) -> None:
    backbone = answerer.model.backbone
    images, texts = count_rows(backbone.image.patch_embedding), count_rows(backbone.text.layers[0])
    results = answerer.answer(pictures("RGB")[0], [f"{text} {n}" for n in range(5) for text in QUESTIONS[:2]])
    assert (sum(images), sum(texts)) == (1, 10)
    assert len(results) == 10 and results[2].question == "what color is the circle ? 1"


def test_pairs_of_a_batch_get_the_answers_of_each_by_itself(answerer: Answerer) -> None:
    images = pictures("RGB", "L", "RGBA")
    alone = [[answerer.answer(image, question) for question in QUESTIONS] for image in images]
    assert_same(answerer.answer(answerer.encode_images(images), QUESTIONS), [alone[n][n] for n in range(3)])
    assert_same(answerer.answer(images, QUESTIONS[0]), [row[0] for row in alone])
    assert_same(answerer.answer(images[1], QUESTIONS), alone[1])
    assert len({result.answers[0].probability for row in alone for result in row}) == 9


def assert_same(results: list[AnswerResult], expected: list[AnswerResult]) -> None:
    for result, other in zip(results, expected, strict=True):
        assert result.image.size == other.image.size and result.question == other.question
        assert [one.answer for one in result.answers] == [one.answer for one in other.answers]
        assert [one.probability for one in result.answers] == pytest.approx(
            [one.probability for one in other.answers], abs=1e-5
        )


def test_as_many_answers_are_given_as_are_wanted_and_there_are(answerer: Answerer) -> None:
    image = pictures("RGB")[0]
    assert [len(answerer.answer(image, QUESTIONS[0], top_k).answers) for top_k in (1, 3, 100)] == [1, 3, 6]
    with pytest.raises(UserError, match="top_k=0: give 1 or more"):
        answerer.answer(image, QUESTIONS[0], 0)
    with pytest.raises(UserError, match="2 images, 3 questions: give one for all, or as many of each"):
        answerer.answer([image, image], QUESTIONS)
    with pytest.raises(UserError, match="questions is blank"):
        answerer.answer(image, "  ")


def test_a_result_for_people_and_programs() -> None:
    result = AnswerResult(pictures("RGB")[0], "why ?", (ScoredAnswer("so", 0.87654), ScoredAnswer("no", 0.1)))
    assert result.answer == "so" and str(result) == "why ? so 0.88, no 0.10"
    answers = [{"answer": "so", "probability": 0.8765}, {"answer": "no", "probability": 0.1}]
    assert result.to_json() == {"height": 40, "width": 100, "question": "why ?", "answers": answers}
    assert result.draw().width == 480
