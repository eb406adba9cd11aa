"""What data files are made for: boxes, questions, or whole images."""

from collections.abc import Container
from typing import NamedTuple

from fiber.data.readers.base import CaptionReader, Reader
from fiber.data.readers.packed import PackedReader
from fiber.data.readers.task_readers import BoxReader, QuestionReader, StatementReader
from fiber.utils.errors import UserError


class DataContent(NamedTuple):
    """What a kind of data file is made for."""

    key: str
    """Of `data`, which only these files have, and those before them in the list."""
    readers: tuple[type[Reader], ...]
    wanted: str
    """In words."""
    packed: str
    """The data file that reads shards of it."""


CONTENTS = (
    DataContent("negatives", (BoxReader,), "boxes", "packed_boxes"),
    DataContent("min_answer_count", (QuestionReader,), "questions", "packed_questions"),
    DataContent("augmentation", (CaptionReader, StatementReader), "captions or statements", "packed"),
)


def require_content(reader: PackedReader, keys: Container[str]) -> None:
    """Check that shards hold what the data file is made for.

    Args:
        reader: of the shards.
        keys: of `data`.

    Raises:
        UserError: they hold something else.
    """
    asked = next((content for content in CONTENTS if content.key in keys), None)
    if asked is None or isinstance(reader, asked.readers):
        return
    found = next(content for content in CONTENTS if isinstance(reader, content.readers))
    raise UserError(
        f"{reader.samples.folder} holds {found.wanted}, while the data file reads {asked.wanted}: give "
        f"data={found.packed}."
    )
