"""Arrow files of VQA v2 made for ViLT, METER or FIBER."""

from collections.abc import Sequence

from PIL import Image

from fiber.data.readers.arrow_tables import ArrowTables, NestedSamples
from fiber.data.readers.task_readers import QuestionReader
from fiber.data.records import Answer, Question
from fiber.utils.errors import UserError

EXPECTED = (
    "VQA's Arrow IPC files with columns image (encoded bytes), questions (list of text), answers, answer_labels, "
    "answer_scores (a list per question), image_id and question_id (list of numbers)"
)
LISTS = ("questions", "question_id", "answers", "answer_labels", "answer_scores")
"""Columns with an entry per question of the row's image."""


class ArrowQuestions(QuestionReader):
    """Tables with an image and its questions in every row.

    The tables hold soft labels and not the annotators' answers, and of train and val only questions with an answer in
    the vocabulary, so that an accuracy on them is not the official one.

    Args:
        paths: files or patterns such as `vqav2_train.arrow`. With train and val together, the answers by their labels
            are the original's vocabulary.

    Raises:
        UserError: a pattern that matches nothing, a file of another format, or tables without a question.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        columns = ("image", "image_id", *LISTS)
        self.tables = ArrowTables(paths, columns=columns, expected=EXPECTED)
        self.name = self.tables.name
        self.samples = NestedSamples([len(questions) for questions in self.tables.column("questions")])
        if len(self) == 0:
            raise UserError(f"{', '.join(self.tables.paths)}: the tables hold no question.")
        self.known_answers = self.answers_by_label()

    def answers_by_label(self) -> tuple[str, ...] | None:
        """Every answer in the order of their labels; None where there are none, as in the test tables."""
        found: dict[int, str] = {}
        for labels, answers in zip(self.tables.column("answer_labels"), self.tables.column("answers"), strict=True):
            for of_question, texts in zip(labels or (), answers or (), strict=True):
                found.update(zip(of_question, texts, strict=True))
        return tuple(found[label] for label in sorted(found)) or None

    def __len__(self) -> int:
        return len(self.samples)

    def question(self, index: int) -> Question:
        row, place = self.samples.find(index)
        answers, scores = self.tables.cell("answers", row), self.tables.cell("answer_scores", row)
        known = zip(answers[place], scores[place], strict=True) if answers else ()
        return Question(
            self.tables.cell("questions", row)[place],
            tuple(Answer(text, score) for text, score in known),
            self.tables.cell("question_id", row)[place],
        )

    def image_id(self, index: int) -> str:
        return str(self.tables.cell("image_id", self.samples.find(index)[0]))

    def location(self, index: int) -> str:
        return self.tables.location(self.samples.find(index)[0])

    def encoded_images(self, index: int) -> list[bytes]:
        return [self.tables.cell("image", self.samples.find(index)[0])]

    def load_image(self, index: int) -> Image.Image:
        return self.tables.image("image", self.samples.find(index)[0])
