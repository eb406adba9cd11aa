"""Arrow files of NLVR2 made for ViLT, METER or FIBER."""

from collections import Counter
from collections.abc import Iterator, Sequence

from PIL import Image

from fiber.data.readers.arrow_tables import ArrowTables, NestedSamples
from fiber.data.readers.task_readers import StatementReader
from fiber.data.records import Statement
from fiber.data.statement_labels import LABELS
from fiber.utils.errors import UserError

EXPECTED = (
    "NLVR2's Arrow IPC files with columns image_0, image_1 (encoded bytes), questions (list of text), answers (list of "
    '"True" and "False") and identifier (such as dev-850-2)'
)

SentenceNumbers = dict[tuple[str, int], int]
"""Number of each sentence of a set, and of its second, third ... occurrence with one pair."""


class ArrowStatements(StatementReader):
    """Tables with a pair of images and the sentences about it in every row.

    The tables leave out the sentences' own numbers. The sentences of a set of pairs are counted here in the order of
    the tables, so the last number of an identifier may be another one than NLVR2's. Consistency takes equal sentences
    about two pairs of a set for one; it is NLVR2's own unless a set has a sentence twice.

    Args:
        paths: files or patterns such as `nlvr2_dev.arrow`.

    Raises:
        UserError: a pattern that matches nothing, a file of another format, two rows of one pair, or tables without a
            statement.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        columns = ("image_0", "image_1", "questions", "answers", "identifier")
        self.tables = ArrowTables(paths, columns=columns, expected=EXPECTED)
        self.name = self.tables.name
        self.statements = list(self.read_statements())
        self.samples = NestedSamples([len(sentences) for sentences in self.tables.column("questions")])
        if not self.statements:
            raise UserError(f"{', '.join(self.tables.paths)}: the tables hold no statement.")

    def read_statements(self) -> Iterator[Statement]:
        """Statements row by row."""
        sets: dict[str, SentenceNumbers] = {}
        rows_of_pairs: dict[str, int] = {}
        rows = zip(*(self.tables.column(name) for name in ("identifier", "questions", "answers")), strict=True)
        for row, (pair, sentences, answers) in enumerate(rows):
            if pair.count("-") != 2 or len(sentences) != len(answers) or not set(answers) <= set(LABELS):
                raise UserError(f"{self.tables.location(row)} is no row of NLVR2: expected {EXPECTED}.")
            if rows_of_pairs.setdefault(pair, row) != row:
                first = self.tables.location(rows_of_pairs[pair])
                raise UserError(f"{self.tables.location(row)} is about {pair}, as is {first}: give every pair one row.")
            numbers = number_sentences(sentences, sets.setdefault(pair.rpartition("-")[0], {}))
            for sentence, answer, number in zip(sentences, answers, numbers, strict=True):
                yield Statement(sentence, LABELS[answer], f"{pair}-{number}")

    def __len__(self) -> int:
        return len(self.statements)

    def statement(self, index: int) -> Statement:
        return self.statements[index]

    def location(self, index: int) -> str:
        return self.tables.location(self.samples.find(index)[0])

    def encoded_images(self, index: int) -> list[bytes]:
        row, _ = self.samples.find(index)
        return [self.tables.cell(column, row) for column in ("image_0", "image_1")]

    def load_images(self, index: int) -> tuple[Image.Image, Image.Image]:
        row, _ = self.samples.find(index)
        return self.tables.image("image_0", row), self.tables.image("image_1", row)


def number_sentences(sentences: Sequence[str], numbers: SentenceNumbers) -> list[int]:
    """Numbers of the sentences about one pair, each a different one.

    Args:
        sentences: about the pair.
        numbers: of the set so far, to which new ones are added.
    """
    met: Counter[str] = Counter()
    found = []
    for sentence in sentences:
        found.append(numbers.setdefault((sentence, met[sentence]), len(numbers)))
        met[sentence] += 1
    return found
