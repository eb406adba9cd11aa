"""From questions to batches."""

from collections.abc import Sequence

import pytest
import torch
from PIL import Image

from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.batch import SampleKey
from fiber.data.question_collate import QuestionCollator, soft_targets
from fiber.data.question_dataset import QuestionDataset
from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.task_readers import QuestionReader
from fiber.data.records import Answer, Question
from fiber.data.shapes.questions import ANSWERS, ShapesQuestions
from fiber.data.tokenization import train_tokenizer
from fiber.data.transforms import PixelTransform, ResizeTransform
from fiber.utils.errors import UserError

from .noted_flips import NotedFlips

VOCABULARY = AnswerVocabulary(["yes", "no", "left"])


class Memory(QuestionReader):
    """Questions with the given answers about images of one grey value each; some are broken."""

    name = "memory"

    def __init__(
        self, answers: Sequence[Sequence[Answer]], *, text: str = "is it ?", broken: Sequence[int] = ()
    ) -> None:
        self.answers, self.text, self.broken = answers, text, set(broken)

    def __len__(self) -> int:
        return len(self.answers)

    def question(self, index: int) -> Question:
        return Question(self.text, tuple(self.answers[index]), question_id=index)

    def image_id(self, index: int) -> str:
        return str(index)

    def location(self, index: int) -> str:
        return f"memory/{index}"

    def load_image(self, index: int) -> Image.Image:
        if index in self.broken:
            raise BrokenImageError(self.location(index))
        return Image.new("RGB", (5, 5), (index, index, index))


YES, NO, OTHER, LEFT = (Answer(text, score) for text, score in (("yes", 1.0), ("no", 0.3), ("?", 1.0), ("left", 0.9)))


def dataset(reader: QuestionReader, *, training: bool, transform: PixelTransform | None = None) -> QuestionDataset:
    transform = transform or ResizeTransform(32)
    return QuestionDataset(reader, vocabulary=VOCABULARY, transform=transform, seed=0, training=training)


def test_training_leaves_out_what_the_vocabulary_cannot_answer() -> None:
    reader = Memory([[OTHER], [YES, OTHER, NO], [], [LEFT]])
    training = dataset(reader, training=True)
    assert (len(training), training.num_dropped) == (2, 2)
    sample = training[SampleKey(0, 0)]
    assert (sample.labels, sample.scores, int(sample.image[0, 0, 0])) == ((0, 1), (1.0, 0.3), 1)
    assert training.location(1) == "memory/3"
    everything = dataset(reader, training=False)
    assert (len(everything), everything.num_dropped) == (4, 0)
    assert everything[SampleKey(0, 0)].labels == ()


def test_no_question_that_can_be_answered_is_an_error() -> None:
    with pytest.raises(UserError, match="memory: the split holds no question"):
        dataset(Memory([[OTHER]]), training=True)


def test_a_broken_image_is_replaced_in_training_and_refused_in_evaluation() -> None:
    reader = Memory([[YES]] * 20, broken=[4])
    sample = dataset(reader, training=True)[SampleKey(4, 0)]
    assert (sample.broken, sample.key.sample) == (("memory/4",), 4)
    with pytest.raises(UserError, match="memory: cannot evaluate without memory/4"):
        dataset(reader, training=False)[SampleKey(4, 0)]


@pytest.mark.parametrize(
    ("text", "answers", "flip"),
    [("is it red ?", [YES], None), ("what is left of it ?", [YES], False), ("which side ?", [LEFT], False)],
)
def test_pictures_of_questions_about_left_and_right_are_not_flipped(
    text: str, answers: list[Answer], flip: bool | None
) -> None:
    transform = NotedFlips()
    dataset(Memory([answers], text=text), training=True, transform=transform)[SampleKey(0, 0)]
    assert transform.flips == [flip]


def test_targets_equal_a_double_loop() -> None:
    labels, scores = [(3, 0), (), (1,), (4, 2, 0)], [(1.0, 0.3), (), (0.6,), (0.9, 0.3, 1.0)]
    expected = torch.zeros(4, 5)
    for row, (places, values) in enumerate(zip(labels, scores, strict=True)):
        for place, value in zip(places, values, strict=True):
            expected[row, place] = value
    assert torch.equal(soft_targets(labels, scores, 5), expected)
    assert torch.equal(soft_targets([(), ()], [(), ()], 3), torch.zeros(2, 3))


def test_a_batch_holds_questions_and_targets() -> None:
    samples = dataset(Memory([[YES, NO], [OTHER]]), training=False)
    tokenizer = train_tokenizer(["is it ?"] * 9, 300)
    collate = QuestionCollator(tokenizer, max_text_length=8, num_answers=3)
    batch = collate([samples[SampleKey(index, 7)] for index in (0, 1)])
    assert len(batch) == 2 and batch.sample.tolist() == [0, 1]
    assert torch.equal(batch.targets, torch.tensor([[1.0, 0.3, 0.0], [0.0, 0.0, 0.0]]))
    assert tokenizer.decode(batch.text_ids[0].tolist()) == "is it ?"
    assert batch.text_mask.sum(dim=1).tolist() == [5, 5]
    assert batch.image[1].unique().tolist() == [1]


def test_a_closed_world_is_not_searched_for_answers() -> None:
    reader = ShapesQuestions("train", num_samples=1_000_000, image_size=32)
    vocabulary = AnswerVocabulary(ANSWERS)
    samples = QuestionDataset(reader, vocabulary=vocabulary, transform=ResizeTransform(32), seed=0, training=True)
    assert len(samples) == 1_000_000
    assert samples[SampleKey(999_999, 0)].labels == (vocabulary.labels[reader.question(999_999).common_answer],)


def test_a_limit_keeps_the_first_questions() -> None:
    reader = Memory([[OTHER], [YES], [NO], [YES]])
    samples = QuestionDataset(
        reader, vocabulary=VOCABULARY, transform=ResizeTransform(32), seed=0, training=True, max_samples=2
    )
    assert [samples.location(index) for index in range(len(samples))] == ["memory/1", "memory/2"]
