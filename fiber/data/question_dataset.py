"""Questions of one reader, with the labels of their answers."""

import numpy as np
from numpy.typing import NDArray

from fiber.data.answer_vocabulary import AnswerVocabulary
from fiber.data.batch import SampleKey
from fiber.data.direction_words import names_direction
from fiber.data.question_batch import QuestionSample
from fiber.data.readers.task_readers import QuestionReader
from fiber.data.records import Question
from fiber.data.replacing_dataset import ReplacingDataset
from fiber.data.transforms import PixelTransform
from fiber.utils.errors import UserError


class QuestionDataset(ReplacingDataset[QuestionSample]):
    """Questions in the reader's order; in training only those that the vocabulary has an answer to.

    An image is not flipped where question or answers tell left from right. The original flips all the same.

    Args:
        reader: the questions.
        vocabulary: the answers to choose from.
        transform: picture to pixels.
        seed: of the random choices, which also depend on the draw.
        training: also whether a broken image is replaced by that of a random other question.
        max_samples: use only the first so many questions.

    Raises:
        UserError: no question is left.
    """

    def __init__(
        self,
        reader: QuestionReader,
        *,
        vocabulary: AnswerVocabulary,
        transform: PixelTransform,
        seed: int,
        training: bool,
        max_samples: int | None = None,
    ) -> None:
        super().__init__(reader.name, seed=seed, training=training)
        self.reader = reader
        self.vocabulary = vocabulary
        self.transform = transform
        asked = answerable(reader, vocabulary) if training else np.arange(len(reader))
        self.num_dropped = len(reader) - len(asked)
        """Questions that the vocabulary has no answer to."""
        self.asked = asked[:max_samples]
        """Places of the questions in the reader."""
        if len(self.asked) == 0:
            raise UserError(f"{reader.name}: the split holds no question that the vocabulary has an answer to.")

    def __len__(self) -> int:
        return len(self.asked)

    def question(self, index: int) -> Question:
        """Question and answers of a sample."""
        return self.reader.question(int(self.asked[index]))

    def location(self, index: int) -> str:
        return self.reader.location(int(self.asked[index]))

    def read(self, index: int, key: SampleKey, rng: np.random.Generator, broken: tuple[str, ...]) -> QuestionSample:
        question = self.question(index)
        flip = False if is_directed(question) else None
        image = self.transform(self.reader.load_image(int(self.asked[index])), rng, flip=flip)
        known = self.vocabulary.soft_labels(question.answers)
        return QuestionSample(
            image,
            question.text,
            labels=tuple(label for label, _ in known),
            scores=tuple(score for _, score in known),
            key=key,
            broken=broken,
        )


def answerable(reader: QuestionReader, vocabulary: AnswerVocabulary) -> NDArray[np.int64]:
    """Places of questions with an answer in the vocabulary."""
    if reader.known_answers is not None and set(reader.known_answers) <= set(vocabulary.answers):
        return np.arange(len(reader))
    return np.array(
        [index for index in range(len(reader)) if vocabulary.soft_labels(reader.question(index).answers)],
        dtype=np.int64,
    )


def is_directed(question: Question) -> bool:
    """Whether question or answers may not hold for a flipped image."""
    return any(map(names_direction, (question.text, *(answer.text for answer in question.answers))))
